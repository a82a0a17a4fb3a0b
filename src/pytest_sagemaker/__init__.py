"""Check SageMaker PyTorch scripts before a job is paid for: `sm-lint`, and `pytest --sagemaker-check`."""
