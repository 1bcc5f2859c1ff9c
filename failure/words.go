package failure

// A sentence is one line, and does nothing but say something: whatever is put into one, of whatever
// type, comes out without what a terminal, a log or a mail would obey. A path or a name with a line
// break in it would else forge a line of the output.

import (
	"errors"
	"fmt"
	"io"

	"orderly/outside"
)

// Words puts arguments into a format, as fmt.Sprintf does. Line breaks are the format's alone, but
// for what another program printed; a Remedy keeps its steps. It changes the elements of args, so
// that vet takes it for a fmt.Sprintf and looks at its callers' formats.
func Words(format string, args ...any) string {
	for i, arg := range args {
		args[i] = harmless(arg)
	}
	return fmt.Sprintf(format, args...)
}

// harmless is an argument of a format that does nothing, however it is formatted.
func harmless(arg any) any {
	switch arg := arg.(type) {
	case nil, int, int64, *Error, shown, outside.Printed:
		return arg // the numbers may be widths; an Error's sentence was made here
	case string:
		return outside.Line(arg)
	case Remedy:
		return arg.Cleaned()
	case error:
		return lineOf(arg)
	}
	return shown{arg}
}

// shown is a value that is shown on one line, whatever it is and whatever it says of itself.
type shown struct{ value any }

// Format implements fmt.Formatter.
func (s shown) Format(f fmt.State, verb rune) {
	_, _ = io.WriteString(f, outside.Line(fmt.Sprintf(fmt.FormatString(f, verb), s.value)))
}

// lineOf is what an error says: one line, unless a sentence of Orderly's own is in it, which may be
// one of certbot's several lines.
func lineOf(err error) string {
	if _, ours := errors.AsType[*Error](err); ours {
		return string(Remedy(err.Error()).cleaned(outside.Lines))
	}
	return outside.Line(err.Error())
}
