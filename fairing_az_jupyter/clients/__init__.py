"""The only code that talks to the outside world; each client turns its SDK's errors into ours."""
