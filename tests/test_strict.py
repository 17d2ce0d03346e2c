"""What is told of data in which a key or value cannot be."""

from collections.abc import Mapping
from typing import Annotated, Literal

import pytest
from pydantic import Field

from rsfuse.errors import RecipeError
from rsfuse.strict import Strict, checked


class Round(Strict):
    kind: Literal["round"]
    radius: float


class Square(Strict):
    kind: Literal["square"]
    side: float


class Drawing(Strict):
    shape: Annotated[Round | Square, Field(discriminator="kind")] = Round(kind="round", radius=1)
    others: tuple[Round, ...] = ()
    names: Mapping[str, int] = Field(default_factory=dict)
    origin: Annotated[int, Field(alias="from")] = 0


def told(data):
    with pytest.raises(RecipeError) as caught:
        checked(Drawing, data, "here", kind=RecipeError, hint="mend it")
    return str(caught.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"shap": {}}, "here: shap: no such key; did you mean 'shape'?"),
        ({"form": 3}, "here: form: no such key; did you mean 'from'?"),
        ({"origin": 3}, "here: origin: no such key; there are from, names, others, shape"),
        ({"shape": {"kind": "round", "zzz": 1, "radius": 1}}, "shape.zzz: no such key; there are kind, radius"),
        ({"shape": {"kind": "square", "sid": 1, "side": 1}}, "shape.sid: no such key; did you mean 'side'?"),
        ({"shape": {"kind": "squar"}}, "shape.kind: there is no 'squar'; did you mean 'square'?"),
        ({"shape": {"kind": "square"}}, "shape.side is missing"),
        ({"others": [{"kind": "round", "radis": 1}]}, "others.0.radis: no such key; did you mean 'radius'?"),
        ({"names": {"one": "1.5"}}, "names.one: Input should be a valid integer"),
        ({"from": "a"}, "(given 'a')"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_the_nearest_key(data, words):
    assert words in told(data)


def test_of_many_mistakes_a_few_are_told_and_the_rest_counted():
    assert told({"names": {str(k): "x" for k in range(100)}}).endswith("; and 92 more")
