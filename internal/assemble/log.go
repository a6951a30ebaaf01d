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
	o, err := logOutput(c.Log.Main())
	if err != nil {
		return o, fmt.Errorf("log.level: %w", err)
	}
	for i, l := range c.Log.Outputs {
		more, err := logOutput(l)
		if err != nil {
			return o, fmt.Errorf("log.outputs[%d].level: %w", i, err)
		}
		o.More = append(o.More, more)
	}
	for _, r := range c.Routes {
		if len(r.Log) == 0 {
			continue
		}
		if o.Routes == nil {
			o.Routes = map[string][]string{}
		}
		o.Routes[r.Name] = r.Log // config.NoOutput is the name of none
	}
	return o, nil
}

func logOutput(l config.LogOutput) (logging.Options, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		return logging.Options{}, err
	}
	o := logging.Options{
		Name: l.Name, Format: string(l.Format), Escape: l.Escape, Level: level, Output: l.Output, Sample: float64(l.Sample), Buffer: int(l.Buffer),
		Fields:  logging.Fields{Add: l.Fields.Add, Remove: l.Fields.Remove, Rename: l.Fields.Rename, Unredacted: l.Fields.Unredacted},
		Records: l.Records, Only: logging.Only{Failed: l.Only.Failed, SlowerThan: l.Only.SlowerThan}, Chosen: !l.Default,
	}
	for _, s := range l.Only.Status {
		o.Only.Status = append(o.Only.Status, [2]int{s.From, s.To})
	}
	return o, nil
}

// log looks at the log's formats, fields and files.
func (f *files) log() {
	o, err := Log(f.config)
	if err != nil {
		f.error("log", err)
		return
	}
	f.logOutput("log", o)
	for i, more := range o.More {
		f.logOutput(fmt.Sprintf("log.outputs[%d]", i), more)
	}
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
