"""The paper as nn.Modules: numbers in, tensors out; no file, no recipe, no vocabulary text."""
