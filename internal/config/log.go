package config

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Log configures the log's format and destination.
type Log struct {
	Format LogFormat `yaml:"format" default:"auto" opt:"public" help:"Format of a record: auto is human on a terminal, else json. combined and common are nginx's formats. Text with variables is as in nginx's log_format, such as '$remote_addr \"$request\" $status'. combined, common and text with variables are for requests only: events go to stderr, unless another output takes them."`
	Escape string    `yaml:"escape" default:"default" enum:"default|json|none" help:"How values are escaped in a format with variables, as in nginx's log_format. default: as \\xXX. json: as in JSON. none: not at all."`
	Level  string    `yaml:"level" default:"info" enum:"debug|info|warn|error" help:"Lowest level to write."`
	Output string    `yaml:"output" default:"stderr" format:"output" help:"stderr, stdout, a file name, journald, a syslog server (syslog+udp://host:514, or with tcp, tls or unix), or an OTLP endpoint (otlp+http://host:4318, otlp+https://host/v1/logs)."`
	Sample Ratio     `yaml:"sample" default:"100%" min:"0%" max:"100%" help:"Share of the successful requests to log. goodgate always logs requests that failed or nearly failed."`
	Buffer Size      `yaml:"buffer" default:"1MiB" min:"64KiB" max:"1GiB" help:"Memory for records that wait for a slow file; goodgate drops and counts the rest."`
	Fields LogFields `yaml:"fields" help:"Fields of the records of requests, in the formats json, text and human, in OTLP and in journald."`

	Records string      `yaml:"records" default:"all" enum:"all|requests|events" help:"Records to write: those of requests, those of events, or all. Events that no output takes go to stderr."`
	Only    LogOnly     `yaml:"only" help:"Requests to log: those that meet at least one of these conditions; without conditions, all."`
	Rotate  LogRotate   `yaml:"rotate" help:"Log rotation by size, for a file that logrotate does not handle."`
	Syslog  LogSyslog   `yaml:"syslog" help:"Settings for a syslog server (RFC 5424)."`
	OTLP    LogOTLP     `yaml:"otlp" help:"Settings for an OTLP endpoint."`
	TLS     TLS         `yaml:"tls" examples:"server_name=logs.example.com" help:"TLS with the server of syslog+tls and otlp+https."`
	Outputs []LogOutput `yaml:"outputs" help:"Further outputs, each with its own format, conditions and file."`
}

// LogOutput is one more output of the log.
type LogOutput struct {
	Name    string    `yaml:"name" format:"name" example:"failures" help:"Unique name for routes[].log and for metrics; output-N when absent. The name main stands for log itself."`
	Output  string    `yaml:"output" opt:"required" format:"output" example:"/var/log/goodgate/failures.log" help:"stderr, stdout, a file name, journald, a syslog server (syslog+udp://host:514, or with tcp, tls or unix), or an OTLP endpoint (otlp+http://host:4318, otlp+https://host/v1/logs)."`
	Format  LogFormat `yaml:"format" default:"auto" opt:"public" help:"Format of a record, as log.format."`
	Escape  string    `yaml:"escape" default:"default" enum:"default|json|none" help:"How values are escaped in a format with variables, as log.escape."`
	Level   string    `yaml:"level" default:"info" enum:"debug|info|warn|error" help:"Lowest level to write."`
	Records string    `yaml:"records" default:"all" enum:"all|requests|events" help:"Records to write: those of requests, those of events, or all."`
	Only    LogOnly   `yaml:"only" help:"Requests to log: those that meet at least one of these conditions; without conditions, all."`
	Default bool      `yaml:"default" default:"true" help:"Log the requests of routes that do not choose their outputs."`
	Sample  Ratio     `yaml:"sample" default:"100%" min:"0%" max:"100%" help:"Share of the successful requests to log. goodgate always logs requests that failed or nearly failed."`
	Buffer  Size      `yaml:"buffer" default:"1MiB" min:"64KiB" max:"1GiB" help:"Memory for records that wait for a slow file; goodgate drops and counts the rest."`
	Fields  LogFields `yaml:"fields" help:"Fields of the records of requests, in the formats json, text and human, in OTLP and in journald."`
	Rotate  LogRotate `yaml:"rotate" help:"Log rotation by size, for a file that logrotate does not handle."`
	Syslog  LogSyslog `yaml:"syslog" help:"Settings for a syslog server (RFC 5424)."`
	OTLP    LogOTLP   `yaml:"otlp" help:"Settings for an OTLP endpoint."`
	TLS     TLS       `yaml:"tls" examples:"server_name=logs.example.com" help:"TLS with the server of syslog+tls and otlp+https."`
}

// LogRotate configures when goodgate begins a new file.
type LogRotate struct {
	Size     Size `yaml:"size" default:"0B" min:"4KiB" max:"1024GiB" zero:"never" help:"Size at which goodgate moves the file to NAME.1, and older ones to NAME.2 and so on."`
	Keep     int  `yaml:"keep" default:"7" min:"1" max:"1000" help:"Older files to keep."`
	Compress bool `yaml:"compress" default:"false" help:"Compress older files (gzip), except NAME.1."`
}

// LogSyslog configures the header of messages to a syslog server.
type LogSyslog struct {
	Facility string `yaml:"facility" default:"daemon" enum:"kern|user|mail|daemon|auth|syslog|lpr|news|uucp|cron|authpriv|ftp|ntp|audit|alert|clock|local0|local1|local2|local3|local4|local5|local6|local7" help:"Facility of the messages."`
	AppName  string `yaml:"app_name" default:"goodgate" format:"token" help:"APP-NAME of the messages; their MSGID is request or event."`
	Framing  string `yaml:"framing" default:"octet_count" enum:"octet_count|newline" help:"How a server of syslog+tcp or syslog+tls tells messages apart: by their length, which goodgate sends before each one (RFC 6587), or by a newline after each one."`
}

// LogOTLP configures how records are sent to an OTLP endpoint.
type LogOTLP struct {
	Headers     Headers `yaml:"headers" format:"header" example:"{X-Api-Key: \"${OTLP_KEY}\"}" help:"Headers for the endpoint, such as an API key."`
	Compression string  `yaml:"compression" default:"gzip" enum:"gzip|none" help:"Compression of what goodgate sends."`
	Service     string  `yaml:"service" default:"" opt:"public" help:"Service name in the records; empty means tracing.service."`
	Instance    string  `yaml:"instance" default:"" opt:"public" help:"Name of this instance in the records (service.instance.id); empty means the host's name."`
}

// empty reports whether everything has its default.
func (o LogOTLP) empty() bool {
	return len(o.Headers) == 0 && o.Compression == Default().Log.OTLP.Compression && o.Service == "" && o.Instance == ""
}

// Number returns the number of the facility (RFC 5424 section 6.2.1).
func (s LogSyslog) Number() int {
	f, _ := reflect.TypeFor[LogSyslog]().FieldByName("Facility")
	return slices.Index(strings.Split(f.Tag.Get("enum"), "|"), s.Facility)
}

// LogOnly selects the requests that are logged.
type LogOnly struct {
	Failed     bool     `yaml:"failed" default:"false" help:"Requests that failed or nearly failed. log.sample never omits them."`
	Status     Statuses `yaml:"status" default:"[]" opt:"single" example:"[5xx, 429]" help:"Requests with one of these statuses."`
	SlowerThan Duration `yaml:"slower_than" default:"0s" min:"1ms" max:"1h" zero:"no condition" help:"Requests that took longer than this."`
}

// unset reports whether everything has its default.
func (t TLS) unset() bool {
	return t.CA+t.ServerName+t.Cert+t.Key == "" && !t.Insecure && len(t.Pins) == 0
}

// Secure reports whether the output has TLS.
func (o LogOutput) Secure() bool {
	return strings.HasPrefix(o.Output, "syslog+tls://") || strings.HasPrefix(o.Output, "otlp+https://")
}

// IsOTLP reports whether the output is an OTLP endpoint.
func (o LogOutput) IsOTLP() bool { return strings.HasPrefix(o.Output, "otlp+") }

// IsFile reports whether the output is a file.
func (o LogOutput) IsFile() bool {
	return o.Output != "stderr" && o.Output != "stdout" && !o.isJournald() && !outputServer(o.Output)
}

// isJournald reports whether the output is systemd's journal.
func (o LogOutput) isJournald() bool {
	return o.Output == journald || strings.HasPrefix(o.Output, journald+"://")
}

// MainOutput is the name of the log's main output.
const MainOutput = "main"

// NoOutput means none in routes[].log.
const NoOutput = "off"

// Main returns the main output of the log.
func (l Log) Main() LogOutput {
	return LogOutput{Name: MainOutput, Output: l.Output, Format: l.Format, Escape: l.Escape, Level: l.Level, Records: l.Records, Only: l.Only,
		Default: true, Sample: l.Sample, Buffer: l.Buffer, Fields: l.Fields, Rotate: l.Rotate, Syslog: l.Syslog, OTLP: l.OTLP, TLS: l.TLS}
}

// LogFields change the fields of a request's record: those to add, to remove and to rename.
type LogFields struct {
	Add        map[string]string `yaml:"add" format:"fieldname" opt:"public" example:"{user_agent: \"{header:User-Agent}\", tls: \"{tls.version}\"}" help:"Fields to add, by name: text with variables, such as {header:NAME}, {response_header:NAME}, {cookie:NAME}, {query:NAME}, {uri} and {tls.version}. goodgate leaves out a field without a value."`
	Remove     []string          `yaml:"remove" default:"[]" opt:"single" format:"fieldname" example:"[received, host]" help:"Fields to leave out."`
	Rename     map[string]string `yaml:"rename" format:"fieldname" opt:"public" example:"{client: remote_addr}" help:"Other names for fields."`
	Unredacted []string          `yaml:"unredacted" default:"[]" opt:"single" format:"secretname" example:"[X-Api-Key-Id]" help:"Headers, cookies and query parameters to log unchanged although their names look like those of secrets. In place of the others, goodgate logs [redacted], in every format."`
}

// empty reports whether records keep their usual fields.
func (f LogFields) empty() bool { return len(f.Add)+len(f.Remove)+len(f.Rename) == 0 }

// LogFormat is the name of a format, or text with nginx's variables.
type LogFormat string

// logFormats are the formats that have names.
func logFormats() []string { return []string{"auto", "human", "json", "text", "common", "combined"} }

// UnmarshalText parses a format. Other code checks its variables.
func (f *LogFormat) UnmarshalText(text []byte) error {
	s := string(text)
	known := logFormats()
	switch {
	case slices.Contains(known, s) || strings.Contains(s, "$"):
		*f = LogFormat(s)
		return nil
	case strings.ContainsAny(s, "{}%"):
		return errors.New("a format of your own needs nginx's variables, such as $remote_addr and $status")
	}
	hint := didYouMean(s, known)
	if ours := values["format"][fold(s)]; ours != "" {
		hint = fmt.Sprintf(" (did you mean %s?)", ours)
	}
	return fmt.Errorf("must be one of %s, or a format with variables such as $status%s", strings.Join(known, ", "), hint)
}

// HasVariables reports whether the format is text with variables.
func (f LogFormat) HasVariables() bool { return strings.Contains(string(f), "$") }

// onlyRequests reports whether the format cannot represent other records or named fields.
func (f LogFormat) onlyRequests() bool {
	return f.HasVariables() || f == "common" || f == "combined"
}

// fieldName accepts the name of a field of a record.
func fieldName(s string) (string, error) {
	if s == "" || len(s) > 63 || strings.ContainsFunc(s, func(r rune) bool {
		return r != '_' && r != '-' && r != '.' && r != '@' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		return "", errors.New("a field's name has 1 to 63 letters, digits, _, -, . and @")
	}
	return s, nil
}

// secretName accepts the name of a header, a cookie or a parameter.
func secretName(s string) (string, error) {
	if _, err := parameter(s); err != nil {
		return "", errors.New("expected the name of a header, a cookie or a query parameter")
	}
	return s, nil
}

// log reports settings without effect together, and missing outputs.
func (v *validator) log(l Log) {
	v.logOutput("log", l.Main())
	names := map[string]string{MainOutput: "", NoOutput: ""}
	for i, o := range l.Outputs {
		path := index("log.outputs", i)
		v.logOutput(path, o)
		if first, taken := names[o.Name]; taken {
			v.errorf(path+".name", "found %q: %s", o.Name, takenBy(first))
		}
		names[o.Name] = path
	}
	known := slices.Sorted(maps.Keys(names))
	for i, r := range v.config.Routes {
		path := index("routes", i) + ".log"
		for k, name := range r.Log {
			if _, ok := names[name]; !ok {
				v.errorf(index(path, k), "found %q: no such output of the log%s; defined: %s", name, didYouMean(name, known), strings.Join(known, ", "))
			}
		}
		if len(r.Log) > 1 && slices.Contains(r.Log, NoOutput) {
			v.errorf(path, "%s excludes the other outputs", NoOutput)
		}
	}
}

func (v *validator) logOutput(path string, l LogOutput) {
	if l.Format.onlyRequests() && !l.Fields.empty() {
		v.errorf(path+".fields", "applies to the formats json, text and human only: %s", ownFields(l.Format))
	}
	if (l.IsOTLP() || l.isJournald()) && l.Format != "auto" {
		v.errorf(path+".format", "found %s: an OTLP endpoint and journald get fields, without a format; use fields to change them", l.Format)
		return
	}
	if l.Escape != "default" && !l.Format.HasVariables() {
		v.errorf(path+".escape", "needs a format with variables, such as '$remote_addr $status'")
	}
	v.clientTLS(path+".tls", l.TLS)
	if l.Rotate.Size > 0 && !l.IsFile() {
		v.errorf(path+".rotate.size", "output %s is not a file", l.Output)
	}
	if l.Format.onlyRequests() && l.Records == "events" {
		v.errorf(path+".records", "found %q: this format logs requests only: use json, text or human", l.Records)
	}
}

// log warns of outputs that would get no record.
func (a *advisor) log(l Log) {
	for i := -1; i < len(l.Outputs); i++ {
		path, o := "log", l.Main()
		if i >= 0 {
			path, o = index("log.outputs", i), l.Outputs[i]
		}
		if key, ok := a.at.givenAny(path, "only.failed", "only.status", "only.slower_than", "sample", "fields.add", "fields.remove", "fields.rename"); ok && o.Records == "events" {
			a.warnf(join(path, key), "has no effect with records: events")
		}
		if key, ok := a.at.givenAny(path, "syslog.facility", "syslog.app_name"); ok && !strings.HasPrefix(o.Output, "syslog+") && !o.isJournald() && o.Syslog != Default().Log.Syslog {
			a.warnf(join(path, key), "has no effect on output %s: it is for syslog and journald", o.Output)
		}
		if key := "syslog.framing"; a.at.given(join(path, key)) && o.Syslog.Framing != "octet_count" && !strings.HasPrefix(o.Output, "syslog+tcp:") && !strings.HasPrefix(o.Output, "syslog+tls:") {
			a.warnf(join(path, key), "has no effect on output %s: it is for syslog+tcp and syslog+tls", o.Output)
		}
		if !o.Secure() {
			a.uselessTLS(path, o.TLS, "output "+o.Output)
		}
		if key, ok := a.at.givenAny(path, "otlp.headers", "otlp.compression", "otlp.service", "otlp.instance"); ok && !o.IsOTLP() && !o.OTLP.empty() {
			a.warnf(join(path, key), "has no effect on output %s: it is for an OTLP endpoint", o.Output)
		}
		if key, ok := a.at.givenAny(path, "rotate.keep", "rotate.compress"); ok && o.Rotate.Size == 0 && (o.Rotate.Compress || o.Rotate.Keep != 7) {
			a.warnf(join(path, key), "has no effect without rotate.size")
		}
		if !o.Default && o.Records != "events" && !a.chosen(o.Name) {
			a.warnf(path+".default", "no route lists %s in its key log, so this output gets no requests", o.Name)
		}
	}
}

// chosen reports whether a route has an output.
func (a *advisor) chosen(name string) bool {
	return slices.ContainsFunc(a.config.Routes, func(r Route) bool { return slices.Contains(r.Log, name) })
}

func ownFields(f LogFormat) string {
	if f.HasVariables() {
		return "this format has only its variables"
	}
	return fmt.Sprintf("%s has the fields of nginx", f)
}
