//go:build tools

// Package tools pins the last SDK release that still contains the Node.js language host as a package of its own module.
package tools

import _ "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs"
