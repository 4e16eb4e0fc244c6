"""What gunicorn reads by itself when it is started in this folder; options go on the command line.

Addresses are written without their query, where keys and ids of crowd platforms stand, and without
who asked (evalplatform/core/logs.py).
"""

logger_class = "evalplatform.core.gunicorn_logs.PrivateLogger"
access_log_format = "%(t)s %(m)s %(U)s %(s)s %(B)s bytes %(L)s s"
