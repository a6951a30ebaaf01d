package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"gopkg.in/yaml.v3"
)

// Default returns a configuration with every default that does not depend on other keys, and no listeners, routes
// and pools.
func Default() *Config {
	c := new(Config)
	setDefaults(reflect.ValueOf(c).Elem())
	return c
}

// Load reads the configuration file at path, with the variables of the process's environment. An error is about the
// file itself, or [Errors] about its content. Load does not open the files that it names.
func Load(path string) (*Config, []Warning, error) {
	data, err := Read(path)
	if err != nil {
		return nil, nil, err
	}
	return Parse(path, data, os.LookupEnv)
}

// Read returns the content of a configuration file. If the file is too large, Read returns enough for [Parse] to report
// that.
func Read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return data, nil
}

// Parse parses the configuration in data. Messages contain the file name, and relative file names start at its folder.
// Parse reads included files, and secrets from ${file:NAME}. env returns environment variables; a nil env expands none.
// The error is [Errors].
func Parse(name string, data []byte, env func(string) (string, bool)) (*Config, []Warning, error) {
	return parseFiles(File{name, data}, disk{}, env)
}

// ParseFiles is [Parse] for files that were read before, as [Config.Source] returns them.
func ParseFiles(files []File, env func(string) (string, bool)) (*Config, []Warning, error) {
	return parseFiles(files[0], kept(files), env)
}

func parseFiles(main File, from library, env func(string) (string, bool)) (*Config, []Warning, error) {
	d := &decoder{texts: new(texts), env: env, at: positions{}}
	g := newGatherer(d, from)
	root, err := g.gather(main)
	if err != nil {
		return nil, nil, err
	}
	c, warnings, err := build(d, root)
	if err == nil {
		c.from.files = g.files
	}
	return c, warnings, err
}

// Sidecar returns the configuration for the addresses in listen, and one pool named app with the upstreams in to. It
// uses only the address and the token of operator. The error is [Errors] that name the flags --listen, --to and
// --admin, and the variable GOODGATE_TOKEN.
func Sidecar(listen, to []string, operator Admin) (*Config, []Warning, error) {
	root := mappingNode(
		"listeners", listNode(listen),
		"pools", mappingNode("app", mappingNode("upstreams", listNode(to))))
	if operator.Address != "" {
		root.Content = append(root.Content, mappingNode(
			"admin", mappingNode("address", scalarNode(operator.Address), "token", scalarNode(string(operator.Token)))).Content...)
	}
	c, warnings, err := build(&decoder{at: positions{}}, root)
	errs, _ := errors.AsType[Errors](err)
	for i := range errs {
		errs[i].Path = flagOf(errs[i].Path)
		errs[i].Message = strings.ReplaceAll(errs[i].Message, "admin.token", flagOf("admin.token"))
	}
	for i := range warnings {
		warnings[i].Path = flagOf(warnings[i].Path)
	}
	return c, warnings, err
}

func flagOf(path string) string {
	switch {
	case strings.HasPrefix(path, "listeners"):
		return "--listen"
	case strings.HasPrefix(path, "pools.app.upstreams"):
		return "--to"
	case path == "admin.address":
		return "--admin"
	case path == "admin.token":
		return "GOODGATE_TOKEN"
	}
	return path
}

func mappingNode(pairs ...any) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, p := range pairs {
		switch p := p.(type) {
		case string:
			n.Content = append(n.Content, scalarNode(p))
		case *yaml.Node:
			n.Content = append(n.Content, p)
		}
	}
	return n
}

func listNode(items []string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode}
	for _, s := range items {
		n.Content = append(n.Content, scalarNode(s))
	}
	return n
}

func scalarNode(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
}

// build makes a configuration from a tree: decode, finish, validate, advise.
func build(d *decoder, root *yaml.Node) (*Config, []Warning, error) {
	c := Default()
	d.at[""] = position{line: root.Line, column: root.Column}
	c.from = place{texts: d.texts, at: d.at}
	d.inherit(root)
	d.decode(root, "", reflect.ValueOf(c).Elem(), field{typ: reflect.TypeFor[Config]()})
	if root.Kind != yaml.MappingNode {
		return nil, nil, d.texts.locate(d.errs) // otherwise all other keys would count as missing
	}
	finish(c, d)
	v := &validator{config: c, at: d.at, errs: d.errs, meant: d.meant}
	v.validate()
	if len(v.errs) > 0 {
		return nil, nil, d.texts.locate(v.errs.Sorted())
	}
	a := &advisor{config: c, at: d.at, found: d.doubts}
	a.advise()
	return c, a.sorted(d.texts), nil
}

// finish fills in the defaults that depend on other keys.
func finish(c *Config, d *decoder) {
	c.Log.Output = d.outputPath("log.output", c.Log.Output)
	for i := range c.Log.Outputs {
		o := &c.Log.Outputs[i]
		o.Output = d.outputPath(index("log.outputs", i)+".output", o.Output)
		if o.Name == "" {
			o.Name = fmt.Sprintf("output-%d", i+1)
		}
	}
	for name, p := range c.Pools {
		path := "pools." + name
		d.borrowedChecks(path+".health", name, &p.Health)
		if !d.at.given(path + ".health.type") {
			// A check of / over HTTP could take a healthy application out of use. Without a configured path any answer
			// passes.
			p.Health.Type = "alive"
			switch {
			case d.at.given(path + ".health.path"):
				p.Health.Type = "http"
			case len(p.Health.Steps) > 0, p.Health.From != "":
				p.Health.Type = "tcp"
			}
		}
		p.Limits.named()
		c.Pools[name] = p
	}
	for i := range c.Listeners {
		c.Listeners[i].Limits.named()
	}
	if len(c.Routes) == 0 && len(c.Pools) == 1 {
		for name := range c.Pools {
			c.Routes = []Route{routeTo(name)}
		}
	}
	c.implyPools()
	for i := range c.Routes {
		r := &c.Routes[i]
		if r.Name == "" {
			r.Name = fmt.Sprintf("route-%d", i+1)
		}
		r.Limits.named()
		p, ok := c.Pools[r.Pool]
		if ok && !d.at.given(index("routes", i)+".timeout") {
			r.Timeout = p.Timeouts.Request
		}
		if ok && r.Fallback == nil {
			r.Fallback = p.Fallback
		}
	}
}

// outputPath returns an output of the log. A file name starts at the folder of the configuration.
func (d *decoder) outputPath(key, out string) string {
	if out == "" || !(LogOutput{Output: out}).IsFile() || filepath.IsAbs(out) {
		return out
	}
	return filepath.Join(d.folder(d.at.of(key).line), out)
}

// routeTo returns the route of a configuration without routes: all requests go to the pool.
func routeTo(pool string) Route {
	var r Route
	setDefaults(reflect.ValueOf(&r).Elem())
	r.Name, r.Pool = "default", pool
	return r
}
