//go:build !minimal

package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/advice/caddyfile"
	"github.com/goodgate/goodgate/internal/advice/convert"
	"github.com/goodgate/goodgate/internal/advice/haproxy"
	"github.com/goodgate/goodgate/internal/advice/nginxconf"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/printable"
)

func newConvert() *cobra.Command {
	var accepted []string
	var from, static string
	c := &cobra.Command{
		Use:   "convert FILE",
		Short: "Convert a configuration of nginx, HAProxy, Caddy or Traefik",
		Long: `Convert another proxy's configuration, and write the result to standard output.
The result begins with comments that list the directives without an equivalent;
standard error lists them too. convert recognizes the format by the file's name
(nginx*, *.cfg, Caddyfile*, *.caddyfile). If the name does not tell, for example
with YAML, JSON and TOML, convert looks at the text. --from sets the format. With
Traefik, FILE is the dynamic configuration, and --static names the static one.

If a directive that restricts access, sets a limit or hides something has no
equivalent, convert writes nothing, unless --accept names the directive.

Exit codes: 0 the result passes goodgate check, 1 it does not, a directive that
protects something would be lost, or the file has no server, 2 convert cannot read
the file.`,
		Example: "  goodgate convert /etc/nginx/nginx.conf > goodgate.yaml\n  goodgate convert --accept auth_basic,limit_rate /etc/nginx/nginx.conf",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return convertFile(c.OutOrStdout(), c.ErrOrStderr(), args[0], from, static, accepted)
		},
	}
	c.Flags().StringSliceVar(&accepted, "accept", nil, "protecting directives that the result may lack, such as auth_basic or \"http-request auth\"")
	c.Flags().StringVar(&from, "from", "", "format of the file: nginx, haproxy, caddyfile, caddy-json or traefik (default: recognize it by name or text)")
	c.Flags().StringVar(&static, "static", "", "Traefik's static configuration, for its entry points and certificate resolvers")
	return c
}

func convertFile(out, report io.Writer, file, from, static string, accepted []string) error {
	result, err := converted(file, from, static)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	result.Accept(accepted)
	for _, n := range result.Notes {
		printable.Fprintln(report, "note:", n)
	}
	if len(result.Refused) > 0 || result.Missing != "" {
		return refused(report, file, result)
	}
	text := result.YAML(filepath.Base(file))
	if _, err := out.Write(text); err != nil {
		return &exitError{exitFailed, fmt.Errorf("writing: %w", err)}
	}
	_, warnings, err := config.Parse("goodgate.yaml", text, os.LookupEnv)
	for _, w := range warnings {
		printable.Fprintln(report, "warning:", w)
	}
	if errs, ok := errors.AsType[config.Errors](err); ok {
		for _, e := range errs {
			printable.Fprintln(report, "error:", e)
		}
		return &exitError{exitFailed, fmt.Errorf("the result has %s: see above", count(len(errs), "error"))}
	}
	if err != nil {
		return &exitError{exitFailed, err}
	}
	printable.Fprintf(report, "converted: %s; %s\ngoodgate check: good, %s\n", result.Carried(), count(len(result.Notes), "note"), count(len(warnings), "warning"))
	return nil
}

// refused reports the protective settings that the conversion would lose, or that there
// is nothing to convert.
func refused(report io.Writer, file string, result *convert.Result) error {
	var names []string
	for _, n := range result.Refused {
		printable.Fprintln(report, "error:", n)
		if !slices.Contains(names, n.What) {
			names = append(names, n.What)
		}
	}
	if result.Missing != "" {
		return &exitError{exitFailed, fmt.Errorf("nothing written: %s has %s", file, result.Missing)}
	}
	slices.Sort(names)
	return &exitError{exitFailed, fmt.Errorf("nothing written: %s that %s would be lost. Move the protection to a proxy in front or into the application and remove the directive here, or accept the loss with --accept %q",
		count(len(result.Refused), "directive"), map[bool]string{true: "protects something", false: "protect something"}[len(result.Refused) == 1], strings.Join(names, ","))}
}

// readers convert a file into a configuration, by the name of its format.
var readers = map[string]func(file, static string) (*convert.Result, error){
	convert.FormatNginx: func(file, _ string) (*convert.Result, error) {
		c, err := nginxconf.Load(file)
		if err != nil {
			return nil, err
		}
		return convert.Nginx(c), nil
	},
	convert.FormatHAProxy: func(file, _ string) (*convert.Result, error) {
		c, err := haproxy.Load(file)
		if err != nil {
			return nil, err
		}
		return convert.HAProxy(c), nil
	},
	convert.FormatCaddyfile: func(file, _ string) (*convert.Result, error) {
		c, err := caddyfile.Load(file, os.LookupEnv)
		if err != nil {
			return nil, err
		}
		return convert.Caddyfile(c), nil
	},
	convert.FormatCaddyJSON: func(file, _ string) (*convert.Result, error) { return ofText(file, convert.Caddy) },
	convert.FormatTraefik: func(file, static string) (*convert.Result, error) {
		return ofText(file, func(text []byte, file string) (*convert.Result, error) {
			if static == "" {
				return convert.Traefik(text, file, nil, "")
			}
			other, err := readConfiguration(static)
			if err != nil {
				return nil, err
			}
			return convert.Traefik(text, file, other, static)
		})
	},
}

func ofText(file string, read func([]byte, string) (*convert.Result, error)) (*convert.Result, error) {
	text, err := readConfiguration(file)
	if err != nil {
		return nil, err
	}
	r, err := read(text, file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}

// mostRead bounds a configuration file, in bytes.
const mostRead = 16 << 20

func readConfiguration(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > mostRead {
		return nil, fmt.Errorf("%s: not a regular file, or larger than the limit of %d bytes", file, mostRead)
	}
	return os.ReadFile(file)
}

func converted(file, from, static string) (*convert.Result, error) {
	if from == "" {
		var err error
		if from, err = formatOf(file); err != nil {
			return nil, err
		}
	}
	read, ok := readers[from]
	if !ok {
		return nil, fmt.Errorf("--from %q: expected one of %s", from, known())
	}
	if static != "" && from != convert.FormatTraefik {
		return nil, fmt.Errorf("--static applies to traefik only; the format of %s is %s", file, from)
	}
	return read(file, static)
}

// formatOf returns a file's format by its name, or else by its text. Only the text tells
// the format of YAML, JSON and TOML, and of goodgate's own files.
func formatOf(file string) (string, error) {
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return convert.FormatNginx, nil // a folder of nginx sites
	}
	text, err := readConfiguration(file)
	if err != nil {
		return "", err
	}
	if convert.IsOwn(text) {
		return "", fmt.Errorf("%s is in goodgate's own format already. Run it with goodgate run --config %s", file, file)
	}
	name := strings.ToLower(filepath.Base(file))
	switch ext := filepath.Ext(name); {
	case slices.Contains([]string{".yaml", ".yml", ".json", ".toml"}, ext):
	case ext == ".cfg":
		return convert.FormatHAProxy, nil
	case strings.HasPrefix(name, "caddyfile") || ext == ".caddyfile" || ext == ".caddy":
		return convert.FormatCaddyfile, nil
	case strings.HasPrefix(name, "nginx"):
		return convert.FormatNginx, nil
	}
	formats := convert.Formats(text)
	switch len(formats) {
	case 0:
		return "", fmt.Errorf("%s: unknown format; name it with --from (%s)", file, known())
	case 1:
		return formats[0], nil
	}
	return "", fmt.Errorf("%s: the format may be %s; choose one with --from", file, strings.Join(formats, " or "))
}

func known() string { return strings.Join(slices.Sorted(maps.Keys(readers)), ", ") }
