package discovery

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"gopkg.in/yaml.v3"
)

const (
	maxFileSize = 1 << 20 // bytes
	maxEntries  = 100_000
	// maxFaults bounds the reported faults of one file or answer.
	maxFaults = 10
)

// parseFile parses a list of upstreams in YAML, which includes JSON. Missing fields of
// an entry are from base. The error has the line and column of each fault, up to
// maxFaults.
func parseFile(data []byte, base Target) ([]Target, error) {
	list, err := parseList(data)
	if err != nil {
		return nil, err
	}
	targets := make([]Target, 0, len(list))
	var faults []error
	for _, node := range list {
		t, err := parseEntry(node, base)
		if err != nil {
			faults = append(faults, err)
		}
		if len(faults) == maxFaults {
			break
		}
		targets = append(targets, t)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return union(targets), nil
}

// parseList returns the entries of the list in data.
func parseList(data []byte) ([]*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc, next yaml.Node
	if err := decoder.Decode(&doc); err == io.EOF {
		return nil, errors.New("line 1, column 1: the file is empty; expected a list, or [] for no upstream")
	} else if err != nil {
		return nil, fmt.Errorf("this is not YAML: %w", err) // yaml includes the line if it is known
	}
	root := doc.Content[0]
	if root.Kind != yaml.SequenceNode {
		return nil, fault(root, "expected a list of upstreams")
	}
	if len(root.Content) > maxEntries {
		return nil, fault(root, "%d entries, more than the limit of %d", len(root.Content), maxEntries)
	}
	if err := decoder.Decode(&next); err == nil {
		return nil, fault(&next, "a second document: expected one list")
	} else if err != io.EOF {
		return nil, fmt.Errorf("this is not YAML: %w", err)
	}
	return root.Content, nil
}

// parseEntry parses a URL, or a mapping with the key url and others.
func parseEntry(node *yaml.Node, base Target) (Target, error) {
	switch node.Kind {
	case yaml.ScalarNode:
		return base, setURL(&base, node)
	case yaml.MappingNode:
	default:
		return base, fault(node, "expected a URL, or a mapping with url")
	}
	var keys []string
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if slices.Contains(keys, key.Value) {
			return base, fault(key, "%s is given twice", key.Value)
		}
		keys = append(keys, key.Value)
		if err := setField(&base, key, value); err != nil {
			return base, err
		}
	}
	if !slices.Contains(keys, "url") {
		return base, fault(node, "url is missing")
	}
	return base, nil
}

func setField(t *Target, key, value *yaml.Node) error {
	switch key.Value {
	case "url":
		return setURL(t, value)
	case "weight":
		return setInt(&t.Weight, value, 1, maxWeight)
	case "tier":
		return setInt(&t.Tier, value, 0, 9)
	case "max_in_flight":
		return setInt(&t.MaxInFlight, value, 0, 1_000_000)
	case "zone":
		return setZone(&t.Zone, value)
	case "lifecycle":
		return setLifecycle(&t.Lifecycle, value)
	case "metadata":
		return setMetadata(&t.Metadata, value)
	default:
		return fault(key, "unknown key %q: expected url, weight, tier, max_in_flight, zone, lifecycle or metadata", key.Value)
	}
}

func setZone(zone *string, node *yaml.Node) error {
	if !IsZone(node.Value) || node.Kind != yaml.ScalarNode {
		return fault(node, "found %q: expected a zone of at most %d letters, digits, '.', '_', '-', ':' and '/'", cut(node.Value, maxZone), maxZone)
	}
	*zone = node.Value
	return nil
}

func setLifecycle(l *Lifecycle, node *yaml.Node) error {
	is, ok := lifecycleWords[node.Value]
	if !ok {
		return fault(node, "found %q: expected serving, not_ready or terminating", cut(node.Value, maxZone))
	}
	*l = is
	return nil
}

func setMetadata(m *Metadata, node *yaml.Node) error {
	all := map[string]string{}
	if node.Kind != yaml.MappingNode || node.Decode(&all) != nil {
		return fault(node, "expected a mapping of texts")
	}
	*m = NewMetadata(all)
	return nil
}

func setURL(t *Target, node *yaml.Node) error {
	if node.Kind != yaml.ScalarNode || node.ShortTag() != "!!str" {
		return fault(node, "expected a URL")
	}
	parsed, _, err := ParseURL(node.Value)
	if err != nil {
		return fault(node, "%w", err)
	}
	t.Addr, t.Name, t.TLS = parsed.Addr, parsed.Name, parsed.TLS
	return nil
}

func setInt(field *int, node *yaml.Node, low, high int) error {
	var n int
	if node.Kind != yaml.ScalarNode || node.ShortTag() != "!!int" || node.Decode(&n) != nil || n < low || n > high {
		return fault(node, "found %q: expected a whole number from %d to %d", node.Value, low, high)
	}
	*field = n
	return nil
}

// fault returns an error with the place of node.
func fault(node *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("line %d, column %d: %w", node.Line, node.Column, fmt.Errorf(format, args...))
}
