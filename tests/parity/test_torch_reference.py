"""The reference against PyTorch: two independent writings of the same definitions must agree."""

import itertools

import numpy as np
import pytest

from jaxnets import reference

torch = pytest.importorskip("torch")
F = pytest.importorskip("torch.nn.functional")
pytestmark = pytest.mark.parity

RANKS = (1, 2, 3)
SPATIAL = {1: (11,), 2: (8, 7), 3: (5, 6, 4)}


def first(a):
    """(N, *spatial, C) array -> (N, C, *spatial) tensor."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(a, -1, 1)))


def last(t):
    """(N, C, *spatial) tensor -> (N, *spatial, C) array."""
    return np.moveaxis(t.detach().numpy(), 1, -1)


def weights(w):
    """(*size, I, O) array -> (O, I, *size) tensor."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(w, (-1, -2), (0, 1))))


def weights_back(t):
    return np.moveaxis(t.detach().numpy(), (0, 1), (-1, -2))


def normal(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def images(rank, channels=4, seed=0):
    return normal((2, *SPATIAL[rank], channels), seed)


def ties(rank, seed=0):
    """Few distinct values, so that most windows have several maxima."""
    return np.random.default_rng(seed).integers(0, 3, (2, *SPATIAL[rank], 3)).astype(np.float64)


def close(a, b, tolerance=1e-10):
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


CONV = [
    dict(zip(("stride", "padding", "dilation", "groups"), values, strict=True))
    for values in [(1, 0, 1, 1), (2, 1, 1, 2), (1, 2, 2, 1), (3, 2, 1, 4), (2, 2, 2, 2), (1, 1, 1, 4)]
]


@pytest.mark.parametrize("options", CONV, ids=str)
@pytest.mark.parametrize("rank", RANKS)
def test_conv_and_its_gradients(rank, options):
    x, b = images(rank), normal((8,), 2)
    w = normal((*(3, 2, 3)[:rank], 4 // options["groups"], 8), 1)
    tx, tw, tb = first(x).requires_grad_(), weights(w).requires_grad_(), torch.from_numpy(b).requires_grad_()
    ty = getattr(F, f"conv{rank}d")(tx, tw, tb, **options)
    y = reference.conv(x, w, b, **options)
    close(y, last(ty))
    dy = normal(y.shape, 3)
    ty.backward(first(dy))
    dx, dw, db = reference.conv_backward(dy, x, w, **options)
    close(dx, last(tx.grad))
    close(dw, weights_back(tw.grad))
    close(db, tb.grad.numpy())


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("rank", RANKS)
def test_conv_same_with_stride_one(rank, dilation):
    # with an odd span both put the same padding on either side
    x, w = images(rank), normal((3,) * rank + (4, 5), 1)
    expected = getattr(F, f"conv{rank}d")(first(x), weights(w), padding="same", dilation=dilation)
    close(reference.conv(x, w, dilation=dilation), last(expected))


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize("rank", RANKS)
def test_padding_modes(rank, mode):
    x, w = images(rank), normal((3,) * rank + (4, 5), 1)
    pads = [(1, 2), (2, 0), (1, 1)][:rank]
    reverse = [p for pair in reversed(pads) for p in pair]  # PyTorch starts with the last axis
    padded = F.pad(first(x), reverse, mode=mode)
    close(reference.pad(x, pads, mode), last(padded))
    expected = getattr(F, f"conv{rank}d")(padded, weights(w), stride=2)
    close(reference.conv(x, w, stride=2, padding=pads, padding_mode=mode), last(expected))


@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize("rank", RANKS)
def test_depthwise_and_separable(rank, multiplier):
    x, w = images(rank), normal((3,) * rank + (1, 4 * multiplier), 1)
    point, b = normal((1,) * rank + (4 * multiplier, 5), 2), normal((5,), 3)
    conv = getattr(F, f"conv{rank}d")
    hidden = conv(first(x), weights(w), stride=2, padding=1, groups=4)
    close(reference.depthwise_conv(x, w, stride=2, padding=1), last(hidden))
    expected = conv(hidden, weights(point), torch.from_numpy(b))
    close(reference.separable_conv(x, w, point, b, stride=2, padding=1), last(expected))


TRANSPOSE = [
    dict(zip(("stride", "padding", "output_padding", "dilation", "groups"), values, strict=True))
    for values in [(1, 0, 0, 1, 1), (2, 1, 1, 1, 2), (2, 0, 0, 2, 1), (3, 1, 2, 1, 4), (1, 2, 0, 2, 2)]
]


@pytest.mark.parametrize("options", TRANSPOSE, ids=str)
@pytest.mark.parametrize("rank", RANKS)
def test_conv_transpose_and_its_gradients(rank, options):
    spatial = (4, 5, 3)[:rank]
    x, b = normal((2, *spatial, 8)), normal((4,), 2)
    w = normal((3,) * rank + (4 // options["groups"], 8), 1)
    tx, tw, tb = first(x).requires_grad_(), weights(w).requires_grad_(), torch.from_numpy(b).requires_grad_()
    ty = getattr(F, f"conv_transpose{rank}d")(tx, tw, tb, **options)
    y = reference.conv_transpose(x, w, b, **options)
    close(y, last(ty))
    dy = normal(y.shape, 3)
    ty.backward(first(dy))
    dx, dw, db = reference.conv_transpose_backward(dy, x, w, **options)
    close(dx, last(tx.grad))
    close(dw, weights_back(tw.grad))
    close(db, tb.grad.numpy())


POOL = [
    {"stride": stride, "padding": padding, "ceil_mode": ceil_mode}
    for stride, padding, ceil_mode in itertools.product((None, 1, 2, 3), (0, 1), (False, True))
]


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("options", POOL, ids=str)
@pytest.mark.parametrize("rank", RANKS)
def test_max_pool_indices_and_gradient_with_ties(rank, options, dilation):
    x = ties(rank)
    size = 2 if dilation == 2 else 3
    options = options | {"dilation": dilation}
    tx = first(x).requires_grad_()
    ty, ti = getattr(F, f"max_pool{rank}d")(tx, size, return_indices=True, **options)
    y, indices = reference.max_pool_with_indices(x, size, **options)
    close(y, last(ty), 0)
    np.testing.assert_array_equal(indices, last(ti))
    dy = normal(y.shape, 1)
    ty.backward(first(dy))
    close(reference.max_pool_backward(dy, x, size, **options), last(tx.grad))
    close(reference.min_pool(-x, size, **options), -y, 0)


@pytest.mark.parametrize("count_include_pad", [False, True])
@pytest.mark.parametrize("options", POOL, ids=str)
@pytest.mark.parametrize("rank", RANKS)
def test_avg_pool_and_its_gradient(rank, options, count_include_pad):
    x = images(rank)
    options = options | {"count_include_pad": count_include_pad}
    keywords = options if options["stride"] is not None else {k: v for k, v in options.items() if k != "stride"}
    tx = first(x).requires_grad_()
    ty = getattr(F, f"avg_pool{rank}d")(tx, 3, **keywords)
    y = reference.avg_pool(x, 3, **options)
    close(y, last(ty))
    dy = normal(y.shape, 1)
    ty.backward(first(dy))
    close(reference.avg_pool_backward(dy, x, 3, **options), last(tx.grad))


@pytest.mark.parametrize("p", [1, 2, 3.5])
@pytest.mark.parametrize("rank", RANKS)
def test_lp_pool(rank, p):
    # on positive elements and with windows that fit: PyTorch forgets the absolute value, and under ceil_mode
    # it multiplies the mean of a clipped window by the size of a whole one
    x = np.abs(images(rank)) + 0.1
    tx = first(x).requires_grad_()
    ty = getattr(F, f"lp_pool{rank}d")(tx, p, 2, 1)
    y = reference.lp_pool(x, 2, 1, p=p)
    close(y, last(ty))
    dy = normal(y.shape, 1)
    ty.backward(first(dy))
    close(reference.lp_pool_backward(dy, x, 2, 1, p=p), last(tx.grad))


@pytest.mark.parametrize("output", [1, 2, 3, 4, (3, None, 2), (13, 5, 7)], ids=str)
@pytest.mark.parametrize("rank", RANKS)
def test_adaptive_pools(rank, output):
    output = output if isinstance(output, int) else output[:rank]
    given = output if isinstance(output, int) or rank > 1 else output[0]
    x, tied = images(rank), ties(rank)
    tx, tt = first(x).requires_grad_(), first(tied).requires_grad_()
    mean, largest = (
        getattr(F, f"adaptive_avg_pool{rank}d")(tx, given),
        getattr(F, f"adaptive_max_pool{rank}d")(tt, given),
    )
    y, top = reference.adaptive_avg_pool(x, output), reference.adaptive_max_pool(tied, output)
    close(y, last(mean))
    close(top, last(largest), 0)
    dy, dtop = normal(y.shape, 1), normal(top.shape, 2)
    mean.backward(first(dy))
    largest.backward(first(dtop))
    close(reference.adaptive_avg_pool_backward(dy, x, output), last(tx.grad))
    close(reference.adaptive_max_pool_backward(dtop, tied, output), last(tt.grad))


@pytest.mark.parametrize(("size", "stride", "padding"), [(2, 2, 0), (3, 3, 0), (3, 3, 1), (2, 3, 0)])
@pytest.mark.parametrize("rank", RANKS)
def test_max_unpool(rank, size, stride, padding):
    x = images(rank)
    y, indices = reference.max_pool_with_indices(x, size, stride, padding=padding)
    ty = first(y).requires_grad_()
    back = getattr(F, f"max_unpool{rank}d")
    tx = back(ty, first(indices.astype(np.int64)), size, stride, padding, SPATIAL[rank])
    got = reference.max_unpool(y, indices, size, stride, padding=padding, output_size=SPATIAL[rank])
    close(got, last(tx), 0)
    dx = normal(got.shape, 1)
    tx.backward(first(dx))
    gradient = reference.max_unpool_backward(dx, y, indices, size, stride, padding=padding, output_size=SPATIAL[rank])
    close(gradient, last(ty.grad), 0)


def test_max_unpool_default_output_size():
    y, indices = normal((1, 3, 3, 2)), np.arange(9).reshape(1, 3, 3, 1).repeat(2, -1)
    expected = F.max_unpool2d(first(y), first(indices), 3, 2, 1)
    close(reference.max_unpool(y, indices, 3, 2, padding=1), last(expected), 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rank", [2, 3])
def test_fractional_max_pool(rank, dtype):
    x = images(rank).astype(dtype)
    samples = np.random.default_rng(1).random((2, 4, rank)).astype(dtype)
    out = (5, 4) if rank == 2 else (3, 4, 2)
    # in 2-D PyTorch's samples are (width, height), in 3-D (depth, height, width); ours follow the spatial axes
    theirs = np.ascontiguousarray(samples[..., ::-1] if rank == 2 else samples)
    tx = first(x).requires_grad_()
    call = getattr(F, f"fractional_max_pool{rank}d")
    ty = call(tx, 2, output_size=out, _random_samples=torch.from_numpy(theirs))
    y = reference.fractional_max_pool(x, 2, out, samples=samples)
    close(y, last(ty), 0)
    dy = normal(y.shape, 2).astype(dtype)
    ty.backward(first(dy))
    gradient = reference.fractional_max_pool_backward(dy, x, 2, out, samples=samples)
    close(gradient, last(tx.grad), 1e-6)


def channel_major(y, taps):
    """Features tap * C + c -> c * taps + tap, which is PyTorch's order."""
    c = y.shape[-1] // taps
    return y.reshape(*y.shape[:-1], taps, c).swapaxes(-1, -2).reshape(*y.shape[:-1], c * taps)


@pytest.mark.parametrize(("stride", "padding", "dilation"), [(1, 0, 1), (2, 1, 1), (2, 2, 2)])
def test_unfold_and_fold(stride, padding, dilation):
    x, size = images(2), (3, 2)
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    y = reference.unfold(x, size, **options)
    columns = F.unfold(first(x), size, **options)
    close(channel_major(y, 6).reshape(2, -1, 24), columns.numpy().swapaxes(1, 2), 0)
    back = F.fold(columns, SPATIAL[2], size, **options)
    close(reference.fold(y, SPATIAL[2], size, **options), last(back))


def test_pixel_orders():
    x = normal((2, 4, 6, 3))
    y = reference.space_to_depth(x, 2)
    close(channel_major(y, 4), last(F.pixel_unshuffle(first(x), 2)), 0)
    close(reference.depth_to_space(y, 2), x, 0)
    close(last(F.pixel_shuffle(first(channel_major(y, 4)), 2)), x, 0)


SIZES = [
    {1: (17,), 2: (13, 5), 3: (7, 3, 9)},
    {1: (1,), 2: (1, 20), 3: (1, 6, 2)},
    {1: (22,), 2: (16, 14), 3: (10, 12, 8)},
]
LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("rank", RANKS)
def test_resize_linear(rank, sizes, align_corners):
    x = images(rank)
    tx = first(x).requires_grad_()
    ty = F.interpolate(tx, sizes[rank], mode=LINEAR[rank], align_corners=align_corners)
    y = reference.resize(x, sizes[rank], align_corners=align_corners)
    close(y, last(ty))
    dy = normal(y.shape, 1)
    ty.backward(first(dy))
    close(reference.resize_backward(dy, x, sizes[rank], align_corners=align_corners), last(tx.grad))


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [(13, 5), (1, 20), (16, 14), (3, 3)], ids=str)
def test_resize_cubic(size, align_corners):
    x = images(2)
    tx = first(x).requires_grad_()
    ty = F.interpolate(tx, size, mode="bicubic", align_corners=align_corners)
    y = reference.resize(x, size, "cubic", align_corners=align_corners)
    close(y, last(ty))
    dy = normal(y.shape, 1)
    ty.backward(first(dy))
    close(reference.resize_backward(dy, x, size, "cubic", align_corners=align_corners), last(tx.grad))


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("rank", RANKS)
def test_resize_nearest(rank, sizes):
    x = images(rank)
    expected = F.interpolate(first(x), sizes[rank], mode="nearest-exact")
    close(reference.resize(x, sizes[rank], "nearest"), last(expected), 0)


@pytest.mark.parametrize("rank", RANKS)
def test_norms_and_their_gradients(rank):
    x, scale, shift = images(rank), normal((4,), 1), normal((4,), 2)
    mean, var, dy = normal((4,), 3), np.abs(normal((4,), 4)) + 0.5, normal(x.shape, 5)
    ts, th = torch.from_numpy(scale), torch.from_numpy(shift)
    tm, tv = torch.from_numpy(mean), torch.from_numpy(var)

    def check(y, gradients, function):
        tx, s, h = first(x).requires_grad_(), ts.clone().requires_grad_(), th.clone().requires_grad_()
        ty = function(tx, s, h)
        close(y, last(ty))
        ty.backward(first(dy))
        close(gradients[0], last(tx.grad))
        close(gradients[-2], s.grad.numpy())
        close(gradients[-1], h.grad.numpy())

    check(
        reference.batch_norm(x, mean, var, scale, shift),
        reference.batch_norm_backward(dy, x, mean, var, scale),
        lambda tx, s, h: F.batch_norm(tx, tm, tv, s, h),
    )
    check(
        reference.group_norm(x, 2, scale, shift),
        reference.group_norm_backward(dy, x, 2, scale),
        lambda tx, s, h: F.group_norm(tx, 2, s, h),
    )
    check(
        reference.instance_norm(x, scale, shift),
        reference.instance_norm_backward(dy, x, scale),
        lambda tx, s, h: F.instance_norm(tx, weight=s, bias=h),
    )
    check(
        reference.layer_norm(x, scale, shift),
        reference.layer_norm_backward(dy, x, scale),
        lambda tx, s, h: F.layer_norm(tx.movedim(1, -1), (4,), s, h).movedim(-1, 1),
    )
    tx, s = torch.from_numpy(x).requires_grad_(), ts.clone().requires_grad_()
    ty = F.rms_norm(tx, (4,), s, 1e-6)
    close(reference.rms_norm(x, scale), ty.detach().numpy())
    ty.backward(torch.from_numpy(dy))
    dx, dscale = reference.rms_norm_backward(dy, x, scale)
    close(dx, tx.grad.numpy())
    close(dscale, s.grad.numpy())


def test_batch_norm_statistics_are_arguments():
    x, mean, var, dy = images(2), normal((4,), 3), np.abs(normal((4,), 4)) + 0.5, normal((2, 8, 7, 4), 5)
    tm, tv = torch.from_numpy(mean).requires_grad_(), torch.from_numpy(var).requires_grad_()
    ty = (torch.from_numpy(x) - tm) / torch.sqrt(tv + 1e-5)
    ty.backward(torch.from_numpy(dy))
    _, dmean, dvar, _, _ = reference.batch_norm_backward(dy, x, mean, var)
    close(dmean, tm.grad.numpy())
    close(dvar, tv.grad.numpy())


def test_half_precision_rounds_once():
    # PyTorch too sums half-precision convolutions in float32 and rounds at the end
    x = normal((1, 9, 9, 16)).astype(np.float16)
    w = (normal((3, 3, 16, 4), 1) / 12).astype(np.float16)
    expected = F.conv2d(first(x).float(), weights(w).float()).half()
    np.testing.assert_allclose(reference.conv(x, w, padding="VALID"), last(expected), rtol=2e-3, atol=1e-4)
    assert reference.conv(x, w).dtype == np.float16
