# Prints the path of a Python 3.11 that can make virtual environments, or says what to install.
# PYTHON=… names one. Every one on the PATH is tried: the first may be a shim for a version that is not there.
incomplete=

try() {
    [ -x "$1" ] && [ ! -d "$1" ] || return 0
    "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' >/dev/null 2>&1 || return 0
    if "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        printf '%s\n' "$1"
        exit 0
    fi
    incomplete=$1
}

if [ -n "${PYTHON:-}" ]; then
    try "$(command -v "$PYTHON" || echo "$PYTHON")"
    where="$PYTHON is not a Python 3.11."
else
    IFS=:
    for name in python3.11 python3 python; do
        for folder in $PATH; do
            try "$folder/$name"
        done
    done
    where="Python 3.11 is not installed, or not on the PATH."
fi

if [ -n "$incomplete" ]; then
    echo "✗ $incomplete cannot make virtual environments: its module ensurepip is missing." >&2
    echo "  Install the package python3.11-venv (Debian, Ubuntu: apt install python3.11-venv) and try again." >&2
else
    echo "✗ $where" >&2
    echo "  Install it (Debian 12: apt install python3.11 python3.11-venv; macOS: brew install python@3.11)" >&2
    echo "  or name one: make demo PYTHON=/path/to/python3.11" >&2
fi
exit 1
