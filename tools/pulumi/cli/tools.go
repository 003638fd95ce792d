//go:build tools

// Package tools pins the Pulumi CLI that is built where its download site can't be reached.
package tools

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
