"""mariadbd: an empty database made from nothing, and served to clients who may touch nothing but their own tables."""

from __future__ import annotations

#: What the server says once it listens.
READY = b"ready for connections"

#: The clients' user, who has no password, and their database.
USER = "sbtest"

_MIB = 1 << 20
_ROW = 512  #: bytes of memory for a row of some 220 with its index: all rows stay in memory
_REST = 64 * _MIB  #: for the server's own tables

# What mariadb-install-db(1) does, but for help texts, time zones, and its users, who are not made at all: its root has
# no password, and this server runs as root and can be reached over the host's loopback device, where whoever finds its
# port could have it read and write files. The clients' user is of their own tables alone. `--bootstrap` takes a
# statement a line.
_SCRIPT = """
set -e
user=$1; directory=$2; address=$3; port=$4; memory=$5; connections=$6
mkdir -p "$directory"
{ printf 'CREATE DATABASE mysql;\\nUSE mysql;\\n'; cat /usr/share/mysql/mysql_system_tables.sql; } |
  mariadbd --no-defaults --bootstrap --user=root --datadir="$directory" --innodb-log-file-size=64M >&2
printf '%s;\\n' "CREATE DATABASE $user" "CREATE USER $user" "GRANT ALL ON $user.* TO $user" > "$directory.sql"
exec mariadbd --no-defaults --user=root --datadir="$directory" --init-file="$directory.sql" \
  --bind-address="$address" --port="$port" --socket="$directory.sock" --skip-name-resolve \
  --innodb-buffer-pool-size="$memory" --innodb-log-file-size=64M \
  --innodb-flush-method=O_DIRECT --innodb-flush-log-at-trx-commit=0 \
  --max-connections="$connections" --thread-cache-size=256 --query-cache-type=0 2>&1
"""


def command(directory: str, address: str, port: int, *, rows: int, connections: int) -> tuple[str, ...]:
    """Make a database below a directory that is not there yet, and serve it at one address for as long as it runs."""
    return ("sh", "-c", _SCRIPT, "oltp", USER, directory, address, str(port), str(pool(rows)), str(connections))


def pool(rows: int) -> int:
    """Bytes of the server's buffer pool, in whole MiB: more than so many rows take."""
    return (_REST + rows * _ROW) // _MIB * _MIB
