package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/jsonpath"
)

// Expect is the answer that a check must get.
type Expect struct {
	Status       Statuses    `yaml:"status" default:"[200-399]" opt:"single" help:"Statuses that pass: 200, 200-399 or 2xx."`
	Headers      Headers     `yaml:"headers" format:"header" example:"{X-Ready: \"1\"}" help:"Headers that the answer must have with this value; an empty value or * matches any."`
	HeaderRegexp Expressions `yaml:"header_regexp" format:"header" example:"{X-Version: \"^2\\\\.\"}" help:"Headers of the answer whose value must match the regular expression (RE2)."`
	Body         string      `yaml:"body" default:"" example:"ok" help:"Text that must be in the body; empty accepts any."`
	BodyRegexp   string      `yaml:"body_regexp" default:"" format:"regexp" example:"\"state\":\\s*\"(ok|degraded)\"" help:"Regular expression (RE2) that must match a part of the body."`
	JSON         Values      `yaml:"json" format:"jsonpath" example:"{status: ok, db.lag_ms: \"< 500\"}" help:"Values that the JSON body must have, by their path: names of members and indexes of lists, with dots between. Before a value there may be =, !=, <, <=, > or >=; * matches any value."`
	MaxBody      Size        `yaml:"max_body" default:"64KiB" min:"1B" max:"16MiB" help:"How much of the body to examine, or of the data that the tcp check receives."`
}

// Step is a part of the conversation of a tcp check: goodgate sends, and then waits for the expected bytes.
type Step struct {
	Send         string `yaml:"send" format:"bytes" example:"\"PING\\r\\n\"" help:"Text to send first, or hex: and bytes in hexadecimal. In double quotes, \\r\\n is a line break."`
	Expect       string `yaml:"expect" format:"bytes" example:"+PONG" help:"Text that the upstream must send after goodgate's last step, or hex: and bytes in hexadecimal."`
	ExpectRegexp string `yaml:"expect_regexp" default:"" format:"regexp" example:"^220 " help:"Regular expression (RE2) that must match a part of the received data."`
}

// Agent is a program beside each upstream of a pool.
type Agent struct {
	Port     int      `yaml:"port" opt:"required,shorthand" min:"1" max:"65535" example:"9999" help:"Port of the agent, on the upstream's host."`
	Interval Duration `yaml:"interval" default:"2s" min:"10ms" max:"1h" help:"Interval between two queries of the agent."`
	Send     string   `yaml:"send" default:"" format:"bytes" help:"Text to send first, or hex: and bytes in hexadecimal, if the agent waits for it."`
}

// maxStep bounds what a step sends, or waits for, in bytes.
const maxStep = 16 << 10

func stepBytes(s string) (string, error) {
	b, err := StepBytes(s)
	switch {
	case err != nil:
		return "", errors.New("expected text, or hex: and bytes in hexadecimal, such as hex:01 00 ff")
	case len(b) == 0 && s != "":
		return "", errors.New("is empty: write what to send or to expect, or leave the key out")
	case len(b) > maxStep:
		return "", fmt.Errorf("has %d bytes: the limit is %d", len(b), maxStep)
	}
	return s, nil
}

// StepBytes returns the bytes that the text of a step represents.
func StepBytes(s string) ([]byte, error) {
	digits, isHex := strings.CutPrefix(s, "hex:")
	if !isHex {
		return []byte(s), nil
	}
	return hex.DecodeString(strings.Join(strings.Fields(digits), ""))
}

// jsonPath accepts the path of a value in a JSON text.
func jsonPath(s string) (string, error) {
	if _, err := jsonpath.Parse(s, "*"); err != nil || strings.ContainsAny(s, " :=<>") {
		return "", errors.New("expected the path of a value, such as db.replicas.0.state")
	}
	return s, nil
}

func (v *validator) health(path string, h Health) {
	for _, r := range h.DrainStatus {
		// Only an explicitly accepted status contradicts it.
		if v.at.given(path+".expect.status") && h.Expect.Status.overlaps(r.From, r.To) {
			v.errorf(path+".drain_status", "found %s: expect.status has it too, and one status cannot both pass and drain", r)
		}
	}
	if _, ok := h.Headers["Host"]; ok {
		v.errorf(path+".headers.Host", "set this header with health.host")
	}
	for _, name := range slices.Sorted(maps.Keys(h.Expect.JSON)) {
		if _, err := jsonpath.Parse(name, h.Expect.JSON[name]); err != nil {
			v.errorf(path+".expect.json."+name, "%v", err)
		}
	}
	if h.Type == "http" && h.Method == "HEAD" && (h.Expect.BodyRegexp != "" || len(h.Expect.JSON) > 0) {
		v.errorf(path+".method", "found HEAD: its response has no body for expect.body_regexp and expect.json: use GET")
	}
	for i, s := range h.Steps {
		at := index(path+".steps", i)
		if (s == Step{}) {
			v.errorf(at, "is empty: write send, expect or expect_regexp")
		}
	}
}
