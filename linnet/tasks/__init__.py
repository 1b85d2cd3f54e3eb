"""tasks: examples + prompt + grader; one object feeds tuning, evaluation, verifier labels and error analysis."""
