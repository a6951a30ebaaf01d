package assemble

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/logging"
)

// Log returns how and where the log is written. An error is about its level.
func Log(c *config.Config) (logging.Options, error) {
	l := c.Log
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		return logging.Options{}, fmt.Errorf("log.level: %w", err)
	}
	return logging.Options{
		Format: string(l.Format), Escape: l.Escape, Level: level, Output: l.Output, Sample: float64(l.Sample), Buffer: int(l.Buffer),
		Fields: logging.Fields{Add: l.Fields.Add, Remove: l.Fields.Remove, Rename: l.Fields.Rename, Unredacted: l.Fields.Unredacted},
	}, nil
}

// log looks at the log's format, fields and file.
func (f *files) log() {
	o, err := Log(f.config)
	if err != nil {
		f.error("log", err)
		return
	}
	f.logOutput("log", o)
}

func (f *files) logOutput(path string, o logging.Options) {
	if o.Output != "stderr" && o.Output != "stdout" {
		f.error(path+".output", appendable(o.Output))
	}
	hidden, err := o.Check()
	if of, ok := errors.AsType[logging.FieldError](err); ok {
		f.error(path+".fields."+of.Key, err)
	} else {
		f.error(path+".format", err)
	}
	for _, name := range hidden {
		f.warnf(path, "values of %s are logged as [redacted], because the name looks like that of a secret; fields.unredacted: [%s] logs them", name, name)
	}
}
