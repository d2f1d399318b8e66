# start.sh INSIDE BUILD PORT TOKEN [CASE ...]: the first program of the machine (run.py).
exec /usr/bin/python3 -B "$@"
