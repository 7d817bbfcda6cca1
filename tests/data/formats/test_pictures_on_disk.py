"""Image folders, COCO and Pascal VOC: what was written is read, and what is damaged is named."""

import json

import numpy as np
import pytest
from PIL import Image

from jaxnets import data, metrics

RNG = np.random.default_rng(0)


def picture(path, height=4, width=6, color=(250, 10, 10)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), color).save(path)


def test_image_folder(tmp_path):
    picture(tmp_path / "cat" / "b.png", color=(1, 2, 3))
    picture(tmp_path / "cat" / "a" / "c.JPG", 5, 7)
    picture(tmp_path / "dog" / "a.png")
    (tmp_path / "dog" / "notes.txt").write_text("not a picture")
    (tmp_path / "dog" / ".hidden.png").write_text("not a picture")
    (tmp_path / ".cache").mkdir()
    source = data.image_folder(tmp_path)
    assert source.class_names == ("cat", "dog")
    assert [path.name for path in source.paths] == ["c.JPG", "b.png", "a.png"]
    assert source.labels.tolist() == [0, 0, 1]
    assert source[0]["image"].shape == (5, 7, 3)
    assert source[1]["image"].dtype == np.uint8
    assert source[1]["image"][0, 0].tolist() == [1, 2, 3]


def test_rgb_of_every_mode_and_upright(tmp_path):
    image = Image.fromarray(RNG.integers(0, 256, (4, 6, 3)).astype(np.uint8))
    for mode in ("L", "RGBA", "P", "1", "CMYK"):
        name = tmp_path / f"{mode}.tif"
        image.convert(mode).save(name)
        assert data.read_rgb(name).shape == (4, 6, 3)
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(data.read_rgb(tmp_path / "turned.png"), np.rot90(np.asarray(image), -1))


def test_a_wrong_image_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere"):
        data.image_folder(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="no sub-folders"):
        data.image_folder(tmp_path)
    (tmp_path / "cat").mkdir()
    with pytest.raises(ValueError, match=r"cat has no pictures \(.*\.png"):
        data.image_folder(tmp_path)
    Image.fromarray(RNG.integers(0, 255, (64, 64), np.uint8)).save(tmp_path / "whole.png")
    (tmp_path / "cat" / "half.png").write_bytes((tmp_path / "whole.png").read_bytes()[:2000])
    source = data.image_folder(tmp_path)
    with pytest.raises(ValueError, match=r"half\.png cannot be read as an image"):
        source[0]


def coco(**changes):
    """A small annotation file: two images, the second without objects, and a category number that is skipped."""
    outline = [[1, 1, 5, 1, 5, 3, 1, 3]]
    objects = [
        {"id": 1, "image_id": 9, "category_id": 3, "bbox": [1, 1, 4, 2], "area": 8.0, "iscrowd": 0},
        {"id": 2, "image_id": 9, "category_id": 1, "bbox": [0, 0, 3.5, 2], "iscrowd": 1},
    ]
    objects[0]["segmentation"] = outline
    objects[1]["segmentation"] = {"size": [4, 6], "counts": [0, 2, 2, 2, 18]}
    content = {
        "images": [{"id": 12, "file_name": "b.png"}, {"id": 9, "file_name": "a.png"}],
        "annotations": objects,
        "categories": [{"id": 3, "name": "dog"}, {"id": 1, "name": "cat"}],
    }
    return content | changes


@pytest.fixture
def folder(tmp_path):
    picture(tmp_path / "images" / "a.png")
    picture(tmp_path / "images" / "b.png", 3, 3)
    return tmp_path


def test_coco(folder):
    (folder / "a.json").write_text(json.dumps(coco()))
    source = data.coco_detection(folder / "images", folder / "a.json", masks=True)
    assert (len(source), source.class_names, source.category_ids) == (2, ("cat", "dog"), (1, 3))
    one, two = source[0], source[1]
    assert (one["image_id"], one["image"].shape) == (9, (4, 6, 3))
    assert one["boxes"].tolist() == [[1, 1, 5, 3], [0, 0, 3.5, 2]]
    assert (one["labels"].tolist(), one["crowd"].tolist(), one["areas"].tolist()) == ([1, 0], [False, True], [8, 7])
    want = np.zeros((2, 4, 6), bool)
    want[0, 1:3, 1:5] = want[1, :2, :2] = True
    np.testing.assert_array_equal(one["masks"], want)
    assert (two["boxes"].shape, two["labels"].shape, two["masks"].shape) == ((0, 4), (0,), (0, 3, 3))
    found = {"boxes": one["boxes"], "labels": one["labels"], "scores": [0.5, 0.9]}
    assert metrics.coco_map([one, two], [found, {**found, **two, "scores": []}])["AP"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "no JSON, or truncated"),
        ("[]", "it holds a list, not an object"),
        (json.dumps(coco(categories=None)), "no list 'categories'"),
        (json.dumps(coco(images=[{"id": 9}])), r"images\[0\] has no 'file_name'"),
        (json.dumps(coco(images=[{"id": 1, "file_name": "a.png"}])), "annotation 0 is of image 9, which is not"),
        (json.dumps(coco(categories=[{"id": 3, "name": "dog"}])), "annotation 1 is of category 1, which is not"),
        (
            json.dumps(coco(annotations=[{"image_id": 9, "category_id": 1, "bbox": [1, 2]}])),
            r"has bbox \[1, 2\], not \[x, y, width, height\]",
        ),
    ],
)
def test_a_wrong_coco_is_named(folder, content, message):
    (folder / "a.json").write_text(content)
    with pytest.raises(ValueError, match=rf"a\.json.*{message}"):
        data.coco_detection(folder / "images", folder / "a.json")


def test_what_coco_lacks_is_named_when_it_is_read(folder):
    (folder / "a.json").write_text(json.dumps(coco()))
    (folder / "images" / "b.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"b\.png"):
        data.coco_detection(folder / "images", folder / "a.json")[1]
    with pytest.raises(FileNotFoundError, match="a JSON file of COCO"):
        data.coco_detection(folder / "images", folder / "b.json")
    bare = {"id": 5, "image_id": 9, "category_id": 1, "bbox": [0, 0, 1, 1]}
    (folder / "a.json").write_text(json.dumps(coco(annotations=[bare])))
    with pytest.raises(ValueError, match="annotation 5 has no segmentation: read without masks"):
        data.coco_detection(folder / "images", folder / "a.json", masks=True)[0]


XML = """<annotation><object><name>dog</name><difficult>1</difficult>
<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part>
<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>5</xmax><ymax>4</ymax></bndbox></object>
<object><name>person</name><bndbox><ymin>1</ymin><xmin>2</xmin><xmax>3.5</xmax><ymax>4</ymax></bndbox></object>
</annotation>"""


@pytest.fixture
def voc(tmp_path):
    for part in ("Annotations", "ImageSets/Main", "ImageSets/Segmentation", "SegmentationClass"):
        (tmp_path / part).mkdir(parents=True)
    picture(tmp_path / "JPEGImages" / "2007_1.jpg")
    (tmp_path / "Annotations" / "2007_1.xml").write_text(XML)
    (tmp_path / "ImageSets" / "Main" / "train.txt").write_text("2007_1\n\n")
    (tmp_path / "ImageSets" / "Segmentation" / "val.txt").write_text("2007_1\n")
    return tmp_path


def test_voc_boxes(voc):
    source = data.voc_detection(voc)
    assert (len(source), len(source.class_names)) == (1, 20)
    record = source[0]
    assert record["image"].shape == (4, 6, 3)
    assert record["boxes"].tolist() == [[0, 1, 5, 4], [1, 0, 3.5, 4]]
    assert [source.class_names[i] for i in record["labels"]] == ["dog", "person"]
    assert record["difficult"].tolist() == [True, False]
    (voc / "Annotations" / "2007_1.xml").write_text("<annotation></annotation>")
    assert data.voc_detection(voc)[0]["boxes"].shape == (0, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (XML[:80], "no XML, or truncated"),
        (XML.replace("dog", "unicorn"), "object 0 is 'unicorn', none of the class names"),
        (XML.replace("<xmax>3.5</xmax>", ""), "object 1, person, has no bndbox of four numbers"),
        (XML.replace("3.5", "wide"), "object 1, person, has no bndbox of four numbers"),
    ],
)
def test_a_wrong_voc_is_named(voc, text, message):
    (voc / "Annotations" / "2007_1.xml").write_text(text)
    with pytest.raises(ValueError, match=rf"2007_1\.xml.*{message}"):
        data.voc_detection(voc)[0]


def test_voc_pixels(voc):
    classes = np.zeros((4, 6), np.uint8)
    classes[1:3] = 15
    classes[0, 0] = 255
    path = voc / "SegmentationClass" / "2007_1.png"
    image = Image.fromarray(classes, "L").convert("P")
    image.putpalette(list(range(256)) * 3)
    image.putdata(classes.ravel().tolist())
    image.save(path)
    source = data.voc_segmentation(voc, "val")
    labels = source[0]["labels"]
    assert (labels[0, 0], labels[1, 1], labels[3, 3], labels.dtype) == (-1, 15, 0, np.int32)
    assert source.class_names[15] == "person"
    picture(path)
    with pytest.raises(ValueError, match=r"no class numbers \(mode RGB"):
        source[0]
    Image.new("L", (3, 3)).save(path)
    with pytest.raises(ValueError, match="do not belong together"):
        source[0]
    with pytest.raises(FileNotFoundError, match=r"Main.test\.txt: give a split that is there"):
        data.voc_detection(voc, "test")
    (voc / "ImageSets" / "Main" / "train.txt").write_text("\n")
    with pytest.raises(ValueError, match="names no image"):
        data.voc_detection(voc)
