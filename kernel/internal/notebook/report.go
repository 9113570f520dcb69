package notebook

import (
	"context"
	"encoding/xml"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"
)

// result is how one notebook ended.
type result struct {
	source    Source
	took      time.Duration
	unchanged bool // its result was kept from an earlier run, which took that long
	ran       bool
	err       error
}

// JUnit's XML, as CI servers read it: one suite, with a case for each notebook.
type (
	junitSuites struct {
		XMLName xml.Name   `xml:"testsuites"`
		Suite   junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Time     string      `xml:"time,attr"`
		Stamp    string      `xml:"timestamp,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		File    string        `xml:"file,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitMessage `xml:"failure"`
		Skipped *junitMessage `xml:"skipped"`
		Out     string        `xml:"system-out,omitempty"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// junit is the report on a run that began at start. A notebook that hasn't run, because
// ctx ended, is skipped.
func junit(ctx context.Context, results []result, start time.Time) ([]byte, error) {
	suite := junitSuite{
		Name: "notebooks", Tests: len(results),
		Time: seconds(time.Since(start)), Stamp: start.UTC().Format("2006-01-02T15:04:05"),
	}
	for _, r := range results {
		name := filepath.ToSlash(r.source.Name)
		class := "notebooks"
		if folder := path.Dir(name); folder != "." {
			class = strings.ReplaceAll(folder, "/", ".")
		}
		c := junitCase{
			Class: class, Name: strings.TrimSuffix(path.Base(name), ".ipynb"),
			File: name, Time: seconds(r.took),
		}
		switch {
		case !r.ran:
			c.Skipped = &junitMessage{Message: context.Cause(ctx).Error()}
			suite.Skipped++
		case r.err != nil:
			text := r.err.Error()
			first, _, _ := strings.Cut(text, "\n")
			c.Failure = &junitMessage{Message: first, Text: text}
			suite.Failures++
		case r.unchanged:
			c.Time, c.Out = seconds(0), fmt.Sprintf("unchanged since it passed in %s s", seconds(r.took))
		}
		suite.Cases = append(suite.Cases, c)
	}
	text, err := xml.MarshalIndent(junitSuites{Suite: suite}, "", "  ")
	return append([]byte(xml.Header), append(text, '\n')...), err
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }

// writeReport writes the report whole or not at all.
func writeReport(ctx context.Context, file string, results []result, start time.Time) error {
	text, err := junit(ctx, results, start)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(file, text, 0o644)
}
