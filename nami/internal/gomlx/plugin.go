package gomlx

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
)

// PluginPath is the absolute path of XLA's PJRT plugin for the CPU, or empty if none
// is installed. It looks in the folders of $PJRT_PLUGIN_LIBRARY_PATH; if that isn't
// set, in go-xla's ~/.local/lib/go-xla and /usr/local/lib/go-xla; and then in lib
// below nami's cache folder, $NAMI_CACHE or nami in the user's cache folder.
func PluginPath() string {
	extension := "so"
	if runtime.GOOS == "darwin" {
		extension = "dylib"
	}
	for _, folder := range pluginFolders() {
		for _, pattern := range []string{"pjrt_c_api_cpu*_plugin.", "pjrt-plugin-cpu*.", "pjrt_plugin_cpu*."} {
			found, _ := filepath.Glob(filepath.Join(folder, pattern+extension)) // the pattern is well-formed
			if len(found) > 0 {
				newest := slices.Max(found)
				if path, err := filepath.Abs(newest); err == nil {
					return path
				}
			}
		}
	}
	return ""
}

func pluginFolders() (folders []string) {
	if paths, set := os.LookupEnv("PJRT_PLUGIN_LIBRARY_PATH"); set {
		folders = filepath.SplitList(paths)
	} else {
		if home, err := os.UserHomeDir(); err == nil {
			folders = append(folders, filepath.Join(home, ".local/lib/go-xla"))
		}
		folders = append(folders, "/usr/local/lib/go-xla")
	}
	if cache := os.Getenv("NAMI_CACHE"); cache != "" {
		return append(folders, filepath.Join(cache, "lib"))
	}
	if cache, err := os.UserCacheDir(); err == nil {
		folders = append(folders, filepath.Join(cache, "nami", "lib"))
	}
	return folders
}
