package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestSecretsAreNotPrinted(t *testing.T) {
	url := "postgres://u:" + "hunter2" + "@h/d"
	c := Config{DatabaseURL: url, ListenURL: url, Listen: "x:1"}
	for _, text := range []string{c.String(), fmt.Sprint(c), fmt.Sprintf("%+v", c), c.LogValue().String()} {
		if strings.Contains(text, "hunter2") || !strings.Contains(text, "FETCHQ_LISTEN=x:1") {
			t.Errorf("printed as %s", text)
		}
	}
}

func TestCheckNamesTheSettingThatIsWrong(t *testing.T) {
	good := Config{PoolSize: 20}
	for name, tt := range map[string]struct {
		c    Config
		want string
	}{
		"good":        {good, ""},
		"small pool":  {Config{PoolSize: 1}, "FETCHQ_POOL_SIZE"},
		"long drain":  {Config{PoolSize: 2, DrainTimeout: 1 << 60}, "FETCHQ_DRAIN_TIMEOUT"},
		"no base URL": {Config{PoolSize: 2, BaseURL: "queue"}, "FETCHQ_BASE_URL"},
	} {
		err := tt.c.Check()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
