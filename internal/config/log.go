package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Log says how and where the log is written.
type Log struct {
	Format LogFormat `yaml:"format" default:"auto" opt:"public" help:"Format of a record: auto is human on a terminal, else json. combined and common are nginx's, and text with variables is as in nginx's log_format, such as '$remote_addr \"$request\" $status': records without a request then go to stderr."`
	Escape string    `yaml:"escape" default:"default" enum:"default|json|none" help:"How values are escaped in a format with variables, as in nginx's log_format: default as \\xXX, json for JSON, none not at all."`
	Level  string    `yaml:"level" default:"info" enum:"debug|info|warn|error" help:"Lowest level to write."`
	Output string    `yaml:"output" default:"stderr" format:"output" help:"stderr, stdout or a file name."`
	Sample Ratio     `yaml:"sample" default:"100%" min:"0%" max:"100%" help:"Share of the successful requests to log. goodgate always logs requests that failed or nearly failed."`
	Buffer Size      `yaml:"buffer" default:"1MiB" min:"64KiB" max:"1GiB" help:"Memory for records that wait for a slow file; goodgate drops and counts the rest."`
	Fields LogFields `yaml:"fields" help:"Fields of the requests' records, in the formats json, text and human."`
}

// LogFields say what a request's record has beside its usual fields, and without which of them.
type LogFields struct {
	Add        map[string]string `yaml:"add" format:"fieldname" opt:"public" example:"{user_agent: \"{header:User-Agent}\", tls: \"{tls.version}\"}" help:"Fields to add, by name: text with variables, such as {header:NAME}, {response_header:NAME}, {cookie:NAME}, {query:NAME}, {uri} and {tls.version}. goodgate leaves out a field without a value."`
	Remove     []string          `yaml:"remove" default:"[]" opt:"single" format:"fieldname" example:"[received, host]" help:"Fields to leave out."`
	Rename     map[string]string `yaml:"rename" format:"fieldname" opt:"public" example:"{client: remote_addr}" help:"Other names for fields."`
	Unredacted []string          `yaml:"unredacted" default:"[]" opt:"single" format:"secretname" example:"[X-Api-Key-Id]" help:"Headers, cookies and query parameters to log as they are although their names look like those of secrets. goodgate logs others as [redacted], in every format."`
}

// empty reports whether records keep the fields that they have.
func (f LogFields) empty() bool { return len(f.Add)+len(f.Remove)+len(f.Rename) == 0 }

// LogFormat is the name of a format, or text with nginx's variables.
type LogFormat string

// logFormats are the formats that have names.
func logFormats() []string { return []string{"auto", "human", "json", "text", "common", "combined"} }

// UnmarshalText reads a format. What its variables are is looked at elsewhere.
func (f *LogFormat) UnmarshalText(text []byte) error {
	s := string(text)
	known := logFormats()
	switch {
	case slices.Contains(known, s) || strings.Contains(s, "$"):
		*f = LogFormat(s)
		return nil
	case strings.ContainsAny(s, "{}%"):
		return errors.New("a format of your own has nginx's variables, such as $remote_addr and $status")
	}
	hint := didYouMean(s, known)
	if ours := values["format"][fold(s)]; ours != "" {
		hint = fmt.Sprintf(" (did you mean %s?)", ours)
	}
	return fmt.Errorf("must be one of %s, or have variables such as $status%s", strings.Join(known, ", "), hint)
}

// HasVariables reports whether the format is text with variables.
func (f LogFormat) HasVariables() bool { return strings.Contains(string(f), "$") }

// onlyRequests reports whether the format has no place for other records, and no fields that have names.
func (f LogFormat) onlyRequests() bool {
	return f.HasVariables() || f == "common" || f == "combined"
}

// fieldName takes the name of a field of a record.
func fieldName(s string) (string, error) {
	if s == "" || len(s) > 63 || strings.ContainsFunc(s, func(r rune) bool {
		return r != '_' && r != '-' && r != '.' && r != '@' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		return "", errors.New("a field's name has 1 to 63 letters, digits, _, -, . and @")
	}
	return s, nil
}

// secretName takes the name of a header, a cookie or a parameter.
func secretName(s string) (string, error) {
	if _, err := parameter(s); err != nil {
		return "", errors.New("expected the name of a header, a cookie or a query parameter")
	}
	return s, nil
}

// log looks for settings that do nothing together.
func (v *validator) log(path string, l Log) {
	if l.Format.onlyRequests() && !l.Fields.empty() {
		v.errorf(path+".fields", "goes with the formats json, text and human only: %s", ownFields(l.Format))
	}
	if l.Escape != "default" && !l.Format.HasVariables() {
		v.errorf(path+".escape", "goes with a format that has variables, such as '$remote_addr $status'")
	}
}

func ownFields(f LogFormat) string {
	if f.HasVariables() {
		return "this one has the variables that it names"
	}
	return fmt.Sprintf("%s has those of nginx", f)
}
