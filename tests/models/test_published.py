"""The models at full size, by arithmetic alone: parameters and multiply-adds as published, and shapes."""

import jax
import jax.numpy as jnp
import pytest

from jaxnets import models, summary, tree
from jaxnets.weights.state_dict import example

# of torchvision's models with 1000 classes, from its table of weights
PARAMETERS = {
    "alexnet": 61_100_840,
    "convnext_base": 88_591_464,
    "convnext_large": 197_767_336,
    "convnext_small": 50_223_688,
    "convnext_tiny": 28_589_128,
    "deeplabv3_mobilenet_v3_large": 11_029_328,
    "deeplabv3_resnet101": 60_996_202,
    "deeplabv3_resnet50": 42_004_074,
    "densenet121": 7_978_856,
    "densenet161": 28_681_000,
    "densenet169": 14_149_480,
    "densenet201": 20_013_928,
    "efficientnet_b0": 5_288_548,
    "efficientnet_b1": 7_794_184,
    "efficientnet_b2": 9_109_994,
    "efficientnet_b3": 12_233_232,
    "efficientnet_b4": 19_341_616,
    "efficientnet_b5": 30_389_784,
    "efficientnet_b6": 43_040_704,
    "efficientnet_b7": 66_347_960,
    "efficientnet_v2_l": 118_515_272,
    "efficientnet_v2_m": 54_139_356,
    "efficientnet_v2_s": 21_458_488,
    "fasterrcnn_resnet50_fpn": 41_755_286,
    "fasterrcnn_resnet50_fpn_v2": 43_712_278,
    "fcn_resnet101": 54_314_346,
    "fcn_resnet50": 35_322_218,
    "fcos_resnet50_fpn": 32_269_600,
    "lraspp_mobilenet_v3_large": 3_221_538,
    "mobilenet_v2": 3_504_872,
    "mobilenet_v3_large": 5_483_032,
    "mobilenet_v3_small": 2_542_856,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnext101_32x8d": 88_791_336,
    "resnext101_64x4d": 83_455_272,
    "resnext50_32x4d": 25_028_904,
    "retinanet_resnet50_fpn": 34_014_999,
    "retinanet_resnet50_fpn_v2": 38_198_935,
    "unet": 31_037_698,  # of the common PyTorch form, with batch norm: milesial/Pytorch-UNet
    "vgg11": 132_863_336,
    "vgg11_bn": 132_868_840,
    "vgg13": 133_047_848,
    "vgg13_bn": 133_053_736,
    "vgg16": 138_357_544,
    "vgg16_bn": 138_365_992,
    "vgg19": 143_667_240,
    "vgg19_bn": 143_678_248,
    "vit_b_16": 86_567_656,
    "vit_b_32": 88_224_232,
    "vit_h_14": 632_045_800,
    "vit_l_16": 304_326_632,
    "vit_l_32": 306_535_400,
    "wide_resnet101_2": 126_886_696,
    "wide_resnet50_2": 68_883_240,
}
# of the paper, 60,000, and a matrix for the distances to its prototypes
PARAMETERS["lenet5"] = 60_000 + 85 * 10
# our own, by hand
PARAMETERS["lenet"] = 9 * 64 + 9 * 64 * 128 + 2 * (64 + 128) + (512 + 1) * 128 + 129 * 10
# of text, each with the head that it has by default: for classifiers, two classes. Those of BERT are the published
# encoders' (Turc et al., 2019, and transformers), 2 (channels + 1) more for the head.
PARAMETERS |= {
    "bert_base": 109_482_240 + 2 * 769,
    "bert_large": 335_141_888 + 2 * 1025,
    "bert_medium": 41_373_184 + 2 * 513,
    "bert_mini": 11_170_560 + 2 * 257,
    "bert_small": 28_763_648 + 2 * 513,
    "bert_tiny": 4_385_920 + 2 * 129,
    "distilbert_base": 66_955_010,
    "gpt2": 124_439_808,
    "gpt2_large": 774_030_080,
    "gpt2_medium": 354_823_168,
    "gpt2_xl": 1_557_611_200,
    "textcnn": 18_765 * 300 + 300 * 100 * (3 + 4 + 5) + 3 * 100 + 2 * 301,
    # of transformers, less the vector that stands for masked sound in training before fine-tuning
    "wav2vec2_base": 94_396_320 - 768,
    "wav2vec2_large": 315_461_792 - 1024,
    "wav2vec2_large_lv60": 315_471_520 - 1024,
    # of NeMo's encoder and decoder for 28 characters and the blank; the paper's table 1 has 6.7, 12.8 and 18.9 million
    "quartznet5x5": 6_713_181,
    "quartznet10x5": 12_818_781,
    "quartznet15x5": 18_924_381,
    # with 18 actions, by hand: the convolutions, the hidden layer, the outputs
    "nature_dqn": (8_224 + 32_832 + 36_928) + (3_136 + 1) * 512 + 513 * 18,
    "dueling_dqn": (8_224 + 32_832 + 36_928) + 2 * (3_136 + 1) * 512 + 513 * (1 + 18),
    "nature_actor_critic": (8_224 + 32_832 + 36_928) + (3_136 + 1) * 512 + 513 * (1 + 18),
    "impala": (592 + 4 * 2_320) + (4_640 + 4 * 9_248) + 5 * 9_248 + (11 * 11 * 32 + 1) * 256 + 257 * (1 + 18),
    # of tables, by hand: 16 numbers; Adult's 102 categories, of 8 columns, and 6 numbers
    "mlp": 17 * 256 + 257 * 128 + 129,
    "wide_deep": (102 + 4 * 1000) + 102 * 32 + (8 * 32 + 7) * 1024 + 1025 * 512 + 513 * 256 + 257,
    "dcn_v2": 102 * 16 + 3 * 135 * 134 + 135 * 256 + 257 * 128 + (134 + 128 + 1),
}
# side of the image and billions of multiply-adds, from the same table
MULTIPLY_ADDS = {
    "alexnet": (224, 0.714),
    "convnext_tiny": (224, 4.456),
    "densenet121": (224, 2.834),
    "efficientnet_b0": (224, 0.386),
    "efficientnet_v2_s": (384, 8.366),
    "mobilenet_v2": (224, 0.301),
    "mobilenet_v3_large": (224, 0.217),
    "mobilenet_v3_small": (224, 0.057),
    "resnet18": (224, 1.814),
    "resnet50": (224, 4.089),
    "resnext50_32x4d": (224, 4.230),
    "vgg11": (224, 7.609),
    "vit_b_16": (224, 17.564),
}


def images(side, n=1):
    return jax.ShapeDtypeStruct((n, side, side, 3), jnp.float32)


def test_every_model_is_looked_up():
    assert set(PARAMETERS) == set(models.names())
    assert set(PARAMETERS) > LONG


# Sizes that are only longer than another of their family, to trace as well.
LONG = {
    *(f"convnext_{size}" for size in ("small", "base", "large")),
    *(f"efficientnet_b{size}" for size in range(1, 8)),
    *("efficientnet_v2_m", "efficientnet_v2_l", "densenet161", "densenet169", "densenet201"),
    *("resnet101", "resnet152", "resnext101_32x8d", "resnext101_64x4d", "wide_resnet101_2"),
    *("deeplabv3_resnet101", "fcn_resnet101", "vit_l_16", "vit_l_32", "vit_h_14", "gpt2_large", "gpt2_xl"),
}


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in LONG)) for n in PARAMETERS])
def test_parameters(name):
    params, _ = jax.eval_shape(models.create(name).init, jax.random.key(0), example(name))
    assert tree.count(params) == PARAMETERS[name]


@pytest.mark.parametrize("name", MULTIPLY_ADDS)
def test_multiply_adds_and_shape(name):
    side, published = MULTIPLY_ADDS[name]
    total = summary(models.create(name), images(side, n=2)).total
    assert total.output == [(2, 1000)]
    assert total.multiply_adds / 2e9 == pytest.approx(published, abs=0.001)
