"""Engines: what computes a model. One small interface, and torch, ONNX Runtime and OpenVINO behind it."""
