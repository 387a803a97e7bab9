"""Finds where a JSON value ends, without understanding it: a value may come in pieces and is never held."""

import re

_CLOSES = {ord("{"): ord("}"), ord("["): ord("]")}
_QUOTE = ord('"')
_MAX_STACK = 1024
_MAX_DEPTH = 100_000
# Possessive throughout: linear in time, and no memory for ways back.
_BODY = rb'[^"\\]*+(?:\\.[^"\\]*+)*+'
_PLAIN = rb'[^"{}\[\]]++|"' + _BODY + rb'"'
_FLAT = rb"\{(?:" + _PLAIN + rb")*+\}|\[(?:" + _PLAIN + rb")*+\]"
_STRING_BODY = re.compile(_BODY, re.DOTALL)
_FILLER = re.compile(rb"(?:" + _PLAIN + rb")*+", re.DOTALL)
_BRACKET = re.compile(rb"(?:" + _PLAIN + rb")*+([{}\[\]])", re.DOTALL)
_SHALLOW = re.compile(rb"\{(?:" + _PLAIN + rb"|" + _FLAT + rb")*+\}", re.DOTALL)
_SCALAR = re.compile(rb'[^,"{}\[\] \t\r\n]*+')


class BracketError(ValueError):
    """Brackets don't match, or there are too many to go on; `index` is where."""

    def __init__(self, problem: str, index: int) -> None:
        super().__init__(problem)
        self.index = index


class Scanner:
    """Follows one value at a time: `start`, then `feed` until `done`.

    Brackets must match; everything else is for the parser to judge.
    """

    def __init__(self) -> None:
        self.done = False
        self._stack: list[int] = []
        self._deeper = 0
        self._in_string = False
        self._in_scalar = False

    def start(self, first: int) -> None:
        """Begins a value with its first byte, which `feed` is then given again."""
        self.done = False
        self._in_scalar = first != _QUOTE and first not in _CLOSES

    def feed(self, data: bytes, index: int) -> int:
        """Goes on at `index`. Done: the index behind the value. Not done: where to go on once there is more data."""
        stack = self._stack
        if self._in_scalar:
            return self._feed_scalar(data, index)
        if self._in_string:
            index = self._feed_string(data, index)
            if self._in_string or self.done:
                return index
        elif not stack:
            if whole := _SHALLOW.match(data, index):  # Most rows, in one step.
                self.done = True
                return whole.end()
            if data[index] == _QUOTE:
                return self._feed_string(data, index + 1)
        next_bracket = _BRACKET.match
        while found := next_bracket(data, index):
            index = found.end()
            bracket = data[index - 1]
            if closing := _CLOSES.get(bracket):
                # Nobody can read what is deeper, so beyond this the kinds of brackets need no memory.
                if len(stack) < _MAX_STACK:
                    stack.append(closing)
                elif self._deeper < _MAX_DEPTH:
                    self._deeper += 1
                else:
                    raise BracketError(f"more than {_MAX_DEPTH} brackets are open", index - 1)
            elif self._deeper:
                self._deeper -= 1
            elif stack.pop() != bracket:
                raise BracketError("brackets don't match", index - 1)
            elif not stack:
                self.done = True
                return index
        filler = _FILLER.match(data, index)
        index = filler.end() if filler else index
        return self._feed_string(data, index + 1) if index < len(data) else index

    def _feed_string(self, data: bytes, index: int) -> int:
        body = _STRING_BODY.match(data, index)
        index = body.end() if body else index
        if data[index : index + 1] != b'"':  # The end of data, or a backslash without what it escapes.
            self._in_string = True
            return index
        self._in_string = False
        self.done = not self._stack
        return index + 1

    def _feed_scalar(self, data: bytes, index: int) -> int:
        run = _SCALAR.match(data, index)
        index = run.end() if run else index
        self.done = index < len(data)
        return index
