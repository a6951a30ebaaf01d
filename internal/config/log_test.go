package config

import (
	"fmt"
	"strings"
	"testing"
)

// TestLogMistakes: impossible settings of the log are errors at their key, and settings
// without effect are warnings.
func TestLogMistakes(t *testing.T) {
	t.Parallel()
	const rest = "\nlisteners: [\":1\"]\npools: {app: {upstreams: [\"http://127.0.0.1:2\"]}}\nroutes: [{name: r, pool: app%s}]\n"
	for log, want := range map[string]string{
		`{format: jsno}`:                                                                          "log.format: found \"jsno\": must be one of auto, human, json, text, common, combined, or a format with variables such as $status (did you mean json?)",
		`{format: logfmt}`:                                                                        "(did you mean text?)",
		`{format: "%h %l"}`:                                                                       "needs nginx's variables",
		`{format: "$status", escape: jsn}`:                                                        "log.escape: found \"jsn\"",
		`{escape: json}`:                                                                          "log.escape: needs a format with variables",
		`{format: combined, fields: {remove: id}}`:                                                "log.fields: applies to the formats json, text and human only: combined has the fields of nginx",
		`{format: "$status", fields: {add: {a: "{host}"}}}`:                                       "this format has only its variables",
		`{format: combined, fields: {unredacted: key}}`:                                           "",
		`{format: combined, records: events}`:                                                     "log.records: found \"events\": this format logs requests only",
		`{fields: {add: {"a b": x}}}`:                                                             "a field's name has",
		`{outputs: [{name: a}]}`:                                                                  "output is missing",
		`{outputs: [{output: ./x, name: main}]}`:                                                  "log.outputs[0].name: found \"main\": this name is reserved",
		`{outputs: [{output: ./x, name: "off"}]}`:                                                 "this name is reserved",
		`{outputs: [{output: ./x, name: a}, {output: ./y, name: a}]}`:                             "log.outputs[1].name: found \"a\": log.outputs[0] has this name already",
		`{outputs: [{output: ./x, only: {status: 700}}]}`:                                         "log.outputs[0].only.status",
		`{outputs: [{output: ./x, only: {slower_than: 5}}]}`:                                      "a duration needs a unit",
		`{outputs: [{output: ./x, name: audit, default: false}]}`:                                 "warning: log.outputs[0].default: no route lists audit in its key log",
		`{outputs: [{output: ./x, records: events, only: {failed: true}}]}`:                       "warning: log.outputs[0].only.failed: has no effect with records: events",
		`{outputs: [{output: ./x, name: audit, default: false}]}, log: audit`:                     "",
		`{output: "syslog://h"}`:                                                                  "the transport is missing: write syslog+udp://h",
		`{output: "syslog+upd://h"}`:                                                              "did you mean syslog+udp?",
		`{output: "syslog+tcp://h:0"}`:                                                            "expected a host and perhaps a port",
		`{output: "syslog+udp://user@h"}`:                                                         "expected a host and perhaps a port",
		`{output: "syslog+unix://log"}`:                                                           "the path of a socket",
		`{output: "syslog+udp://[::1]:514", syslog: {facility: local8}}`:                          "log.syslog.facility: found \"local8\"",
		`{output: "syslog+udp://h", syslog: {facility: local7}}`:                                  "",
		`{output: "syslog+tcp://h", syslog: {framing: newline}}`:                                  "",
		`{output: "syslog+tls://h", syslog: {framing: lines}}`:                                    "log.syslog.framing: found \"lines\"",
		`{output: "syslog+udp://h", syslog: {framing: newline}}`:                                  "warning: log.syslog.framing: has no effect on output syslog+udp://h",
		`{syslog: {facility: local7}}`:                                                            "warning: log.syslog.facility: has no effect on output stderr",
		`{rotate: {size: 1MiB}}`:                                                                  "log.rotate.size: output stderr is not a file",
		`{output: ./x, rotate: {size: 1KiB}}`:                                                     "log.rotate.size",
		`{output: ./x, rotate: {keep: 3}}`:                                                        "warning: log.rotate.keep: has no effect without rotate.size",
		`{outputs: [{output: ./x, tls: {cert: ./c}}]}`:                                            "log.outputs[0].tls: cert and key go together: set both, or neither",
		`{outputs: [{output: "syslog+tcp://h", tls: {ca: ./c}}]}`:                                 "warning: log.outputs[0].tls.ca: has no effect on output syslog+tcp://h",
		`{output: "syslog+tls://h", tls: {ca: ./c, server_name: logs.example}}`:                   "",
		`{output: "syslog+tls://h", tls: {key: ./k}}`:                                             "log.tls: cert and key go together: set both, or neither",
		`{output: ./x, tls: {ca: ./c}}`:                                                           "warning: log.tls.ca: has no effect on output x: it has no TLS",
		`{output: ./x, tls: {insecure: false}}`:                                                   "",
		`{output: journald, syslog: {app_name: web}, fields: {remove: host}}`:                     "",
		`{output: "journald:///run/systemd/journal.web/socket"}`:                                  "",
		`{output: "journald://web"}`:                                                              "expected the path of a journal's socket",
		`{output: journald, format: text}`:                                                        "log.format: found text: an OTLP endpoint and journald get fields",
		`{output: journald, rotate: {size: 1MiB}}`:                                                "log.rotate.size: output journald is not a file",
		`{output: jurnald}`:                                                                       "did you mean journald?",
		`{output: "otlp+http://127.0.0.1"}`:                                                       "",
		`{output: "otlp+http://[::1]:4318/v1/logs", fields: {add: {a: "{host}"}, remove: trace}}`: "",
		`{output: "otlp+https://h/x", tls: {ca: ./c}, otlp: {headers: {X-Key: k}, compression: none, service: s, instance: i}}`: "",
		`{output: "otlp+http://h", tls: {ca: ./c}}`:                  "warning: log.tls.ca: has no effect on output otlp+http://h",
		`{output: "otlp+http://h", format: json}`:                    "log.format: found json: an OTLP endpoint",
		`{output: "otlp+http://h", format: "$status", escape: json}`: "log.format: found $status: an OTLP endpoint",
		`{output: "otlp+http://h", rotate: {size: 1MiB}}`:            "log.rotate.size: output otlp+http://h is not a file",
		`{output: "otlp+http://h", otlp: {compression: zstd}}`:       "log.otlp.compression",
		`{output: "otlp+http://h", otlp: {headers: {"a b": c}}}`:     "log.otlp.headers",
		`{output: "otlp+http://u:p@h"}`:                              "put API keys into otlp.headers",
		`{output: "otlp+http://h/v1/logs?key=1"}`:                    "put API keys into otlp.headers",
		`{output: "otlp+http://"}`:                                   "expected a host and perhaps a port and a path",
		`{output: "otlp+http://h:0"}`:                                "expected a host and perhaps a port and a path",
		`{output: "otlp+grpc://h:4317"}`:                             "write otlp+http://h:4317 or otlp+https://h:4317",
		`{output: "http://h:4318/v1/logs"}`:                          "write otlp+http://h:4318/v1/logs",
		`{output: "otlp+htp://h"}`:                                   "did you mean otlp+http?",
		`{output: ./x, otlp: {service: s}}`:                          "warning: log.otlp.service: has no effect on output x: it is for an OTLP endpoint",
		`{output: ./x, otlp: {compression: gzip}}`:                   "",
		`{outputs: [{output: "otlp+http://h", format: human}]}`:      "log.outputs[0].format: found human",
		`{}, log: audi`:       "routes[0].log[0]: found \"audi\": no such output of the log; defined: main, off",
		`{}, log: mian`:       "(did you mean main?)",
		`{}, log: [off, off]`: "off excludes the other outputs",
		`{}, log: "off"`:      "",
	} {
		log, route, _ := strings.Cut(log, "}, log: ")
		if route != "" {
			log, route = log+"}", ", log: "+route
		}
		_, warnings, err := Parse("g.yaml", []byte("log: "+log+fmt.Sprintf(rest, route)), noEnv)
		var got strings.Builder
		got.WriteString(fmt.Sprint(err))
		for _, w := range warnings {
			got.WriteString(" warning: " + w.Path + ": " + w.Message)
		}
		if want == "" && got.String() != "<nil>" || !strings.Contains(got.String(), want) {
			t.Errorf("%s%s: got %s, want %s", log, route, got.String(), want)
		}
	}
}

// TestLogOutputs: only files are beside the configuration's file.
func TestLogOutputs(t *testing.T) {
	for output, want := range map[string]string{
		"stderr": "stderr", "stdout": "stdout", "journald": "journald", "journald:///run/j/socket": "journald:///run/j/socket", "otlp+http://h": "otlp+http://h",
		"syslog+udp://h": "syslog+udp://h", "/var/log/a": "/var/log/a", "./a.log": "dir/a.log", "./journald": "dir/journald",
	} {
		c, _, err := Parse("dir/g.yaml", fmt.Appendf(nil, "listeners: [\":80\"]\npools: {a: {upstreams: [\"http://127.0.0.1:1\"]}}\nlog: {output: %q, outputs: [{output: %q}]}", output, output), noEnv)
		if err != nil {
			t.Fatal(err)
		}
		if c.Log.Output != want || c.Log.Outputs[0].Output != want {
			t.Errorf("%s: got %s and %s", output, c.Log.Output, c.Log.Outputs[0].Output)
		}
	}
}
