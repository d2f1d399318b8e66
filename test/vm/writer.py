"""writer.py DIR NAME SECONDS: adds rows to a sqlite database beside others who do. Says how many, or what went wrong."""
import sqlite3
import sys
import time

where, name, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
c = sqlite3.connect(where + '/db', timeout=60, isolation_level=None)
c.execute('create table if not exists t (who text, n integer, primary key (who, n))')
end, n = time.monotonic() + seconds, 0
while time.monotonic() < end:
    c.execute('begin immediate')
    last, = c.execute('select coalesce(max(n), 0) from t where who = ?', (name,)).fetchone()
    assert last == n, '%d rows are there of %d' % (last, n)
    c.execute('insert into t values (?, ?)', (name, n + 1))
    c.execute('commit')
    n += 1
    time.sleep(0.02)  # sqlite has no queue: without a pause the nearer writer takes the lock again before the other looks
print(n, flush=True)
