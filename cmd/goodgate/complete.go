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

// completeBound is how long a shell waits for suggestions at most.
const completeBound = time.Second

// completing returns a completion from the status of a running goodgate. Without one
// there is nothing to suggest, and nothing to say.
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
		for i := range list { // a shell takes lines, and what follows a tab as the description
			word, description, _ := strings.Cut(list[i], "\t")
			list[i] = printable.Text(word) + "\t" + printable.Text(description)
		}
		return list, cobra.ShellCompDirectiveNoFileComp
	}
}

// only returns a completion of the one argument that a command takes.
func only(first cobra.CompletionFunc) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return first(c, args, typed)
	}
}

// upstreamsNot returns the upstreams that the operator has not given a state yet,
// and what is said of each.
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

// failedRequests returns the ids of the latest requests in which something failed.
func failedRequests(s *admin.Status) []string {
	var list []string
	for _, q := range s.Failures {
		list = append(list, fmt.Sprintf("%s\t%s %s %d", q.ID, q.Method, q.Path, q.Status))
	}
	return list
}
