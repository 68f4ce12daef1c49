"""From a recipe and a data set to a model: the stages concepts, relations and joint, and the loop that runs them."""
