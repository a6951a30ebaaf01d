package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/printable"
)

// completeBound bounds a shell's wait for suggestions.
const completeBound = time.Second

// completing returns a completion from the status of a running goodgate. Without a
// goodgate it suggests nothing, silently.
func completing(from func(*admin.Status) []string) cobra.CompletionFunc {
	return func(c *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(context.Background(), completeBound)
		defer cancel()
		a := caller{token: os.Getenv("GOODGATE_TOKEN")}
		a.address, _ = c.Flags().GetString("admin")
		a.file, _ = c.Flags().GetString("config")
		client, err := a.client(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var s admin.Status
		if client.Get(ctx, "/v1/status", &s) != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		list := slices.DeleteFunc(from(&s), func(word string) bool { return !strings.HasPrefix(word, typed) })
		for i := range list { // a shell reads lines; the text after a tab is the description
			word, description, _ := strings.Cut(list[i], "\t")
			list[i] = printable.Text(word) + "\t" + printable.Text(description)
		}
		return list, cobra.ShellCompDirectiveNoFileComp
	}
}

// only returns a completion for a command with one argument.
func only(first cobra.CompletionFunc) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return first(c, args, typed)
	}
}

// upstreamsNot returns the upstreams in another operator state, with a description of
// each.
func upstreamsNot(s *admin.Status, state string) []string {
	var list []string
	for _, p := range s.Pools {
		for _, u := range p.Upstreams {
			if u.Operator != state {
				list = append(list, u.Address+"\tpool "+p.Name+": "+u.Why)
			}
		}
	}
	slices.Sort(list)
	return list
}

func poolNames(s *admin.Status) []string {
	var list []string
	for _, p := range s.Pools {
		list = append(list, fmt.Sprintf("%s\t%d of %d available", p.Name, p.Available, len(p.Upstreams)))
	}
	return list
}

// failedRequests returns the ids of the latest failed requests.
func failedRequests(s *admin.Status) []string {
	var list []string
	for _, q := range s.Failures {
		list = append(list, fmt.Sprintf("%s\t%s %s %d", q.ID, q.Method, q.Path, q.Status))
	}
	return list
}
