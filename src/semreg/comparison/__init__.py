"""The paper's claim, put to the test on any data: the four interfaces, trained alike and compared."""
