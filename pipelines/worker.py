"""A local worker process: Beam's own, without its running commentary on standard error.

The local runner gives its workers no pipeline options, so a log level set there does not arrive.
"""

import logging
import sys

from apache_beam.runners.worker import sdk_worker_main

if __name__ == "__main__":
    logging.disable(logging.WARNING)
    sdk_worker_main.main(sys.argv)
