package assemble

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/logging"
)

// Log returns the outputs of the log and their formats. An error is about a level, or a
// file that tls names.
func Log(c *config.Config) (logging.Options, error) {
	o, err := logOutput(c.Log.Main(), c.Tracing.Service)
	if err != nil {
		return o, fmt.Errorf("log.%w", err)
	}
	for i, l := range c.Log.Outputs {
		more, err := logOutput(l, c.Tracing.Service)
		if err != nil {
			return o, fmt.Errorf("log.outputs[%d].%w", i, err)
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
		o.Routes[r.Name] = r.Log // config.NoOutput names no output
	}
	return o, nil
}

// logOutput takes the service name for outputs that have none.
func logOutput(l config.LogOutput, service string) (logging.Options, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		return logging.Options{}, fmt.Errorf("level: %w", err)
	}
	o := logging.Options{
		Name: l.Name, Format: string(l.Format), Escape: l.Escape, Level: level, Output: l.Output, Sample: float64(l.Sample), Buffer: int(l.Buffer),
		Fields:  logging.Fields{Add: l.Fields.Add, Remove: l.Fields.Remove, Rename: l.Fields.Rename, Unredacted: l.Fields.Unredacted},
		Records: l.Records, Only: logging.Only{Failed: l.Only.Failed, SlowerThan: l.Only.SlowerThan}, Chosen: !l.Default,
		Rotate: logging.Rotate{Size: int64(l.Rotate.Size), Keep: l.Rotate.Keep, Compress: l.Rotate.Compress},
		Syslog: logging.Syslog{Facility: l.Syslog.Number(), App: l.Syslog.AppName, Newline: l.Syslog.Framing == "newline"},
		OTLP:   logging.OTLP{Headers: l.OTLP.Headers, Gzip: l.OTLP.Compression == "gzip", Service: cmp.Or(l.OTLP.Service, service), Instance: l.OTLP.Instance},
	}
	if l.Secure() {
		trust, err := NewTrust(l.TLS, nil)
		if err != nil {
			return o, err
		}
		o.TLS = trust.Config
	}
	for _, s := range l.Only.Status {
		o.Only.Status = append(o.Only.Status, [2]int{s.From, s.To})
	}
	return o, nil
}

// log checks the log's formats, fields and files.
func (f *files) log() {
	f.logOutput("log", f.config.Log.Main())
	for i, l := range f.config.Log.Outputs {
		f.logOutput(fmt.Sprintf("log.outputs[%d]", i), l)
	}
}

func (f *files) logOutput(path string, l config.LogOutput) {
	if l.IsFile() {
		f.error(path+".output", appendable(l.Output))
	}
	if l.Secure() {
		f.trust(path+".tls", l.TLS, "the server")
		l.TLS = config.TLS{} // the TLS error is complete
	}
	o, err := logOutput(l, "")
	if err != nil {
		f.error(path, err)
		return
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
