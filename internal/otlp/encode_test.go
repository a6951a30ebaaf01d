//go:build !minimal

package otlp

import (
	"errors"
	"log/slog"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/goodgate/goodgate/internal/lab/otlptest"
)

// TestValues: OpenTelemetry's own types decode every kind of value.
func TestValues(t *testing.T) {
	t.Parallel()
	type row struct {
		A int     `json:"a"`
		B float64 `json:"b"`
		C []any   `json:"c"`
	}
	deep := any("x")
	for range 100 {
		deep = []any{deep}
	}
	for name, tc := range map[string]struct {
		value slog.Value
		want  any
	}{
		"text":           {slog.StringValue("a\nü\x00"), "a\nü\x00"},
		"empty":          {slog.StringValue(""), ""},
		"not UTF-8":      {slog.StringValue("a\xffb\xc3"), "a\uFFFDb\uFFFD"},
		"long":           {slog.StringValue(strings.Repeat("a", maxText+1)), strings.Repeat("a", maxText)},
		"cut in a rune":  {slog.StringValue(strings.Repeat("a", maxText-1) + "ü"), strings.Repeat("a", maxText-1)},
		"long, no UTF-8": {slog.StringValue(strings.Repeat("\x80", maxText+9)), "\uFFFD"},
		"yes":            {slog.BoolValue(true), true},
		"no":             {slog.BoolValue(false), false},
		"number":         {slog.IntValue(-7), int64(-7)},
		"large":          {slog.Uint64Value(math.MaxUint64), int64(math.MaxInt64)},
		"fraction":       {slog.Float64Value(0.25), 0.25},
		"infinite":       {slog.Float64Value(math.Inf(1)), math.Inf(1)},
		"duration":       {slog.DurationValue(1500 * time.Millisecond), "1.5s"},
		"time":           {slog.TimeValue(time.Unix(1e9, 5).UTC()), "2001-09-09T01:46:40.000000005Z"},
		"error":          {slog.AnyValue(errors.New("refused")), "refused"},
		"nothing":        {slog.AnyValue(nil), nil},
		"list":           {slog.AnyValue([]row{{1, 0.5, []any{"x", true, nil}}}), []any{map[string]any{"a": int64(1), "b": 0.5, "c": []any{"x", true, nil}}}},
		"texts":          {slog.AnyValue([]string{"a", "b"}), []any{"a", "b"}},
		"no JSON":        {slog.AnyValue(complex(1, 2)), "(1+2i)"},
		"group":          {slog.GroupValue(slog.Int("a", 1), slog.Group("b", "c", "d")), map[string]any{"a": int64(1), "b": map[string]any{"c": "d"}}},
		"too deep":       {slog.AnyValue(deep), []any{[]any{[]any{[]any{[]any{[]any{[]any{[]any{[]any{}}}}}}}}}},
	} {
		record := &logs.LogRecord{}
		if err := proto.Unmarshal(AppendAttr(nil, 6, name, tc.value), record); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(record.Attributes) != 1 || record.Attributes[0].Key != name {
			t.Errorf("%s: got %v", name, record)
			continue
		}
		if got := otlptest.Plain(record.Attributes[0].Value); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: got %#v, want %#v", name, got, tc.want)
		}
	}
}

// TestEnvelope: items stand in a message that OpenTelemetry's types decode, with the
// source and the attributes of the environment.
func TestEnvelope(t *testing.T) {
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test,service.name=other,k8s.pod.name=a%20b")
	item, start := Open(nil, 2)
	item = Close(AppendString(item, 3, "INFO"), start)
	items := append(item, item...)
	call := &logs.LogsData{}
	if err := proto.Unmarshal(NewEnvelope(Source{Service: "gate", Version: "1.2", Instance: "one"}).Wrap(items), call); err != nil {
		t.Fatal(err)
	}
	of := call.ResourceLogs[0]
	got := map[string]any{}
	for _, a := range of.Resource.Attributes {
		got[a.Key] = otlptest.Plain(a.Value)
	}
	want := map[string]any{"service.name": "gate", "service.version": "1.2", "service.instance.id": "one", "deployment.environment.name": "test", "k8s.pod.name": "a b"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("resource: got %v, want %v", got, want)
	}
	if s := of.ScopeLogs[0]; s.Scope.Name != scopeName || s.Scope.Version != "1.2" || len(s.LogRecords) != 2 || s.LogRecords[1].SeverityText != "INFO" {
		t.Errorf("scope: got %v", s)
	}
}

// TestInstance: the environment names the instance if the configuration does not.
func TestInstance(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ environment, configured, want string }{
		{"", "", host}, {"service.instance.id=pod-1", "", ""}, {"service.instance.id=pod-1", "one", "one"}, {"", "one", "one"},
	} {
		t.Setenv("OTEL_RESOURCE_ATTRIBUTES", tc.environment)
		got := ""
		for _, a := range (Source{Instance: tc.configured}).Attributes() {
			if a.Key == instanceID {
				got = a.Value.AsString()
			}
		}
		if got != tc.want {
			t.Errorf("%+v: got %q", tc, got)
		}
	}
}
