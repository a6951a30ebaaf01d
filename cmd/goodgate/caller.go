package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/printable"
)

// caller has the flags by which a command finds a running goodgate.
type caller struct{ address, file, token string }

func (a *caller) flags(c *cobra.Command) {
	c.Flags().StringVar(&a.address, "admin", "", "`ADDRESS` of the admin listener, host:port or unix:/path (default: search 127.0.0.1:9900 to 9909); the token is in GOODGATE_TOKEN")
	c.Flags().StringVarP(&a.file, "config", "c", "", "configuration `FILE` with the address and the token of the admin API")
	c.MarkFlagFilename("config", "yaml", "yml")
	c.MarkFlagsMutuallyExclusive("admin", "config")
	a.token = os.Getenv("GOODGATE_TOKEN")
}

// client returns a client of the running goodgate.
func (a *caller) client(ctx context.Context) (admin.Client, error) {
	switch {
	case a.file != "":
		cfg, _, err := config.Load(a.file)
		if err != nil {
			return admin.Client{}, err
		}
		if cfg.Admin.Address == "" {
			return admin.Client{}, fmt.Errorf("%s has no admin listener: add `%s` to the file, and reload", a.file, admin.ToWrite(defaultAdmin))
		}
		address, err := adminAddress(cfg.Admin.Address)
		return admin.Client{Address: address, Token: tokenOf(cfg.Admin, a.token)}, err
	case a.address != "":
		address, err := adminAddress(a.address)
		return admin.Client{Address: address, Token: a.token}, err
	}
	return a.find(ctx, defaultAdmins())
}

// tokenOf returns the token of a configuration: the main one, or else own, or else its
// first.
func tokenOf(c config.Admin, own string) string {
	token := cmp.Or(string(c.Token), own)
	if token == "" && len(c.Tokens) > 0 {
		token = string(c.Tokens[0].Token)
	}
	return token
}

// find returns the goodgate that answers at one of the addresses, or else the client for
// the first address.
func (a *caller) find(ctx context.Context, among []string) (admin.Client, error) {
	there := admin.Find(ctx, among)
	if len(there) > 1 {
		return admin.Client{}, a.several(ctx, there)
	}
	return admin.Client{Address: append(there, among[0])[0], Token: a.token}, nil
}

// several returns an error that helps to distinguish the goodgates of this machine.
func (a *caller) several(ctx context.Context, there []string) error {
	lines := []string{count(len(there), "goodgate") + " answer on this machine: choose one with --admin"}
	for _, address := range there {
		line := "--admin " + address
		var s admin.Status
		if err := (admin.Client{Address: address, Token: a.token}).Get(ctx, "/v1/status", &s); err == nil {
			line += fmt.Sprintf("  process %d, %s", s.PID, strings.Join(someUpstreams(&s), ", "))
		}
		lines = append(lines, line)
	}
	return errors.New(strings.Join(lines, "\n"))
}

// someUpstreams returns enough upstreams to recognise a goodgate.
func someUpstreams(s *admin.Status) (list []string) {
	for _, p := range s.Pools {
		for _, u := range p.Upstreams {
			if list = append(list, p.Name+"/"+u.Address); len(list) == 4 {
				return append(list[:3], "...")
			}
		}
	}
	return list
}

// adminAddress converts an address from a file or a browser into a form that can be
// dialled.
func adminAddress(text string) (string, error) {
	if strings.HasPrefix(text, "unix:") {
		return text, nil
	}
	address := strings.TrimRight(strings.TrimPrefix(text, "http://"), "/")
	host, port, err := net.SplitHostPort(address)
	switch {
	case err == nil:
	case strings.Trim(address, "0123456789") == "":
		port = address
	default:
		host, port = strings.Trim(address, "[]"), "9900"
	}
	if strings.ContainsAny(host, "/@?# ") || strings.Trim(port, "0123456789") != "" || port == "" {
		return "", fmt.Errorf("admin address %q: expected host:port or unix:/path", text)
	}
	return net.JoinHostPort(cmp.Or(host, "127.0.0.1"), port), nil
}

// question is a command's request to a running goodgate.
type question struct {
	admin.Client
	args []string
	in   io.Reader
	out  io.Writer
	err  io.Writer
	json bool // print the answer as JSON
}

// asking returns a command that calls a running goodgate. The token comes from the
// configuration file or from GOODGATE_TOKEN.
func asking(c *cobra.Command, do func(context.Context, *question) error) *cobra.Command {
	var a caller
	a.flags(c)
	form := choice{of: []string{"text", "json"}}
	c.Flags().VarP(&form, "output", "o", "output format: text or json (default text)")
	c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(form.of, cobra.ShellCompDirectiveNoFileComp))
	c.RunE = func(c *cobra.Command, args []string) error {
		client, err := a.client(c.Context())
		if err != nil {
			return &exitError{exitUsage, err}
		}
		client.User = os.Getenv("USER")
		q := &question{client, args, c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr(), form.value == "json"}
		err = do(c.Context(), q)
		if refused, ok := errors.AsType[*admin.Refused](err); ok && refused.Status == http.StatusUnauthorized {
			err = noToken(client)
		}
		if exit, ok := errors.AsType[*exitError](err); ok {
			return exit
		}
		if usage, ok := errors.AsType[*usageError](err); ok {
			return usage
		}
		if err != nil {
			return &exitError{exitFailed, err}
		}
		return nil
	}
	return c
}

// noToken returns an error that says what to do when a goodgate refuses the token, or
// requires one.
func noToken(c admin.Client) error {
	wants := "requires a token"
	if c.Token != "" {
		wants = "rejects the token"
	}
	return fmt.Errorf("%s %s: set GOODGATE_TOKEN to the admin token, or give the configuration file with --config", c.Address, wants)
}

// print prints an answer: unchanged as JSON, or decoded into what text prints.
func (q *question) print(answer json.RawMessage, into any, text func()) error {
	if q.json {
		e := json.NewEncoder(printable.Writer{To: q.out, Form: printable.JSON})
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(answer)
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return &admin.NotGoodgate{Address: q.Address, Err: errors.New("unexpected response")}
	}
	text()
	return nil
}
