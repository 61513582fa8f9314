// Reads a dashboard as Grafana's own types do, which are generated from its schemas, those of the panels and of the data
// source among them. Ends with status 1 where a field is unknown, missing, or of another type.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	plugins.RegisterDefaultPlugins()
	raw, err := os.ReadFile(os.Args[1])
	exitOn(err)
	read := dashboard.Dashboard{}
	exitOn(read.UnmarshalJSONStrict(raw))
	exitOn(read.Validate())
	fmt.Printf("the dashboard has the fields of Grafana's types: %d panels and rows\n", len(read.Panels))
}

// The SDK returns an error without any entry where all is well.
func exitOn(err error) {
	var entries cog.BuildErrors
	if err == nil || (errors.As(err, &entries) && len(entries) == 0) {
		return
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
