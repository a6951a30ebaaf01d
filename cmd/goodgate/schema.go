package main

import (
	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/gate"
)

func newSchema() *cobra.Command {
	var api, markdown bool
	reference := referencePage()
	c := &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the configuration, for editors",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			text := config.Schema
			switch {
			case api:
				text = gate.OpenAPI
			case markdown:
				text = reference
			}
			_, err := c.OutOrStdout().Write(text())
			return err
		},
	}
	c.Flags().BoolVar(&api, "api", false, "print the OpenAPI 3.1 description of the admin API instead")
	if reference != nil {
		c.Flags().BoolVar(&markdown, "markdown", false, "print a page with a table of the keys instead")
		c.MarkFlagsMutuallyExclusive("api", "markdown")
	}
	return c
}
