//go:build minimal

package logging

import (
	"errors"
	"os"
)

// The minimal edition refuses configurations with OTLP.

func (o Options) otlpForm() (form, error) {
	return nil, errors.New("the minimal edition of goodgate does not have OTLP")
}

func openOTLP(o Options, _ teller) *Writer {
	return NewWriter(WriterOptions{Out: standard{os.Stderr}, Buffer: o.Buffer})
}
