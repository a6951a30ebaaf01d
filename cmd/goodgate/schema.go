package main

import (
	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/gate"
)

func newSchema() *cobra.Command {
	var api bool
	c := &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the configuration, for editors",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			text := config.Schema()
			if api {
				text = gate.OpenAPI()
			}
			_, err := c.OutOrStdout().Write(text)
			return err
		},
	}
	c.Flags().BoolVar(&api, "api", false, "the description of the admin API instead (OpenAPI 3.1)")
	return c
}
