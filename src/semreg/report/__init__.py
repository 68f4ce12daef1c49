"""One page about a model on a data set: figures, plots, pictures; a file that asks nothing from anywhere."""
