"""What all our transforms are: torchvision's, on plain tensors inside."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from rsfuse.learn.augment.example import Optical, Sar


class Variation(v2.Transform):  # type: ignore[misc]  # torchvision has no hints
    """Varies an `Example`. A subclass draws in `make_params`, once for all three, and changes each in `vary`.

    `_transformed_types` says which of the three; the others pass.
    """

    _transformed_types: tuple[type, ...] = (Optical, Sar)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """As torchvision calls it; the type stays."""
        return tv_tensors.wrap(self.vary(inpt.as_subclass(Tensor), params), like=inpt)

    def vary(self, image: Tensor, params: dict[str, Any]) -> Tensor:
        """The image, (C, h, w) or (h, w), varied as drawn; never in place."""
        raise NotImplementedError
