# Thin on purpose: what happens is in include/stack/.
.SILENT:
.PHONY: help demo test test-slow lint clean requirements

# An environment made elsewhere, used as it is; without it .venv is made and brought up to date first.
VENV =

unexport PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH PYTHONPYCACHEPREFIX

stack = python=$$(PYTHON='$(PYTHON)' sh include/stack/find_python.sh) && PYTHONPATH=include "$$python" -m stack.install
install = if [ -z '$(VENV)' ]; then $(stack)
bin = $(or $(VENV),.venv)/bin

help:
	echo 'make demo          install into .venv, then run one night of a sample district'
	echo '                   ONCE=1: stop everything at the end; PORT=…: the port of the UI'
	echo 'make test          all that CI checks: style, types, tests'
	echo 'make test-slow     what takes too long for that: a thousand random schedules of faults, hours'
	echo 'make lint          style and types alone'
	echo 'make clean         stop a running demo and take away all that these commands have made'
	echo 'make requirements  pin requirements*.txt anew from requirements*.in'

demo:
	$(install) demo; fi
	PYTHONPATH=plugins:include exec '$(bin)/python' -m stack.demo

test: lint
	echo 'Tests'
	'$(bin)/python' -m pytest --numprocesses=2 --dist=loadfile

test-slow:
	$(install) test; fi
	'$(bin)/python' -m pytest -m slow --numprocesses=2 --dist=loadfile

lint:
	$(install) test; fi
	echo 'Style and types'
	'$(bin)/ruff' check . && '$(bin)/ruff' format --check . && '$(bin)/mypy'

clean:
	$(stack) clean

requirements:
	$(install) test; fi
	'$(bin)/uv' pip compile --no-header --python-version 3.11 --upgrade requirements.in -o requirements.txt
	'$(bin)/uv' pip compile --no-header --python-version 3.11 --upgrade requirements-dev.in -o requirements-dev.txt
