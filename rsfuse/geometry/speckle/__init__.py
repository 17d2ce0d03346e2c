"""Speckle in numbers: filters of SAR power that smooth what is even and leave what stands out, and looks measured."""
