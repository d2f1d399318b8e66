"""As launch_churn.py, ten times as long."""
from bench import case
from launch_churn import churn


@case('after 10,000 random changes the name space, the kernel and what programs see agree, and nothing is left')
def _(b):
    churn(b, 10000)
