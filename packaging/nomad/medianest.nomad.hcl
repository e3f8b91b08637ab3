# MediaNest on Nomad (1.7 or later, with Docker): nomad job run medianest.nomad.hcl
#
# Services and checks are Nomad's own; with Consul, leave `provider` out. Postgres and Redis are services of these names, of
# whatever job. Secrets are variables of the job:
#
#     nomad var put nomad/jobs/medianest database_url=... redis_url=... jwt_secret=... metrics_token=...
#
# The volume of uploads takes `volumes { enabled = true }` of the client's docker plugin; all allocations of the backend have
# to reach it.

job "medianest" {
  type = "service"

  # A new allocation is healthy by its checks before an old one is stopped.
  update {
    max_parallel      = 1
    canary            = 1
    auto_promote      = true
    auto_revert       = true
    health_check      = "checks"
    min_healthy_time  = "10s"
    healthy_deadline  = "3m"
    progress_deadline = "10m"
  }

  group "backend" {
    count = 2

    network {
      mode = "bridge"

      port "http" {
        to = 4000
      }

      port "metrics" {
        to = 9911
      }
    }

    # nest-init has looked already, at its own intervals, and counted failures: Nomad asks for the verdict alone. Not ready
    # takes the allocation out; not alive, three times, starts it again.
    service {
      name     = "backend"
      port     = "http"
      provider = "nomad"

      check {
        name     = "ready"
        type     = "http"
        port     = "metrics"
        path     = "/readyz"
        interval = "5s"
        timeout  = "1s"
      }

      check {
        name     = "live"
        type     = "http"
        port     = "metrics"
        path     = "/livez"
        interval = "10s"
        timeout  = "1s"

        check_restart {
          limit = 3
          grace = "60s"
        }
      }
    }

    restart {
      attempts = 3
      interval = "5m"
      delay    = "5s"
      mode     = "fail"
    }

    # Ends before the backend begins; the advisory lock lets one of several migrate.
    task "migrate" {
      driver       = "docker"
      user         = "1001:1001"
      kill_timeout = "15s"

      lifecycle {
        hook = "prestart"
      }

      config {
        image           = "localhost/medianest/migration-runner:dev"
        readonly_rootfs = true
        cap_drop        = ["all"]
        security_opt    = ["no-new-privileges"]
        volumes         = ["secrets:/run/secrets:ro"]
      }

      env {
        SECURITY_LEVEL = "hardened"
      }

      dynamic "template" {
        for_each = ["database_url"]

        content {
          destination = "secrets/${template.value}"
          change_mode = "noop"
          uid         = 1001
          gid         = 1001
          perms       = "0400"
          data        = "{{ with nomadVar \"nomad/jobs/medianest\" }}{{ .${template.value} }}{{ end }}"
        }
      }

      # Where the databases are: another address is another start.
      template {
        destination = "local/addresses.env"
        env         = true
        change_mode = "restart"
        data        = <<-TEXT
          {{ range nomadService "postgres" }}POSTGRES={{ .Address }}:{{ .Port }}
          {{ end }}{{ range nomadService "redis" }}REDIS={{ .Address }}:{{ .Port }}
          {{ end }}
        TEXT
      }

      resources {
        cpu    = 100
        memory = 512
      }
    }

    task "backend" {
      driver = "docker"

      # The image's own user, from the beginning: PID 1 then needs no capability to become it.
      user = "1001:1001"

      # Nomad takes the allocation out of the service, waits so long, and sends the signal then. This is the drain for who
      # asks Nomad for addresses; the image's own (2 s) begins behind it.
      shutdown_delay = "5s"

      # Not said, it would be the image's STOPSIGNAL, else TERM; with other drivers SIGINT.
      kill_signal = "SIGTERM"

      # More than the image's stop.timeout (8 s); the client cuts it at its max_kill_timeout, 30 s unless that is set.
      kill_timeout = "15s"

      config {
        image           = "localhost/medianest/backend-production:dev"
        ports           = ["http", "metrics"]
        readonly_rootfs = true
        cap_drop        = ["all"]
        security_opt    = ["no-new-privileges"]
        pids_limit      = 512
        volumes         = ["secrets:/run/secrets:ro"]

        mount {
          type   = "tmpfs"
          target = "/tmp"

          tmpfs_options {
            size = 67108864
          }
        }

        # Of this allocation alone, and gone with it. A tmpfs there would be root's.
        mount {
          type   = "volume"
          target = "/app/backend/logs"
        }

        mount {
          type   = "volume"
          source = "medianest-uploads"
          target = "/app/backend/uploads"
        }
      }

      env {
        SECURITY_LEVEL = "hardened"
      }

      # Nomad replaces the file when the variable changes; nest-init sees that and starts the service again, by the steps of a
      # stop (on_change in the image's file). So Nomad has nothing to do, and no container is made anew.
      dynamic "template" {
        for_each = ["database_url", "redis_url", "jwt_secret", "metrics_token"]

        content {
          destination = "secrets/${template.value}"
          change_mode = "noop"
          uid         = 1001
          gid         = 1001
          perms       = "0400"
          data        = "{{ with nomadVar \"nomad/jobs/medianest\" }}{{ .${template.value} }}{{ end }}"
        }
      }

      # Where the databases are: another address is another start.
      template {
        destination = "local/addresses.env"
        env         = true
        change_mode = "restart"
        data        = <<-TEXT
          {{ range nomadService "postgres" }}POSTGRES={{ .Address }}:{{ .Port }}
          {{ end }}{{ range nomadService "redis" }}REDIS={{ .Address }}:{{ .Port }}
          {{ end }}
        TEXT
      }

      resources {
        cpu    = 500
        memory = 1024
      }
    }
  }

  group "frontend" {
    count = 2

    network {
      mode = "bridge"

      port "http" {
        to = 3000
      }

      port "metrics" {
        to = 9911
      }
    }

    service {
      name     = "frontend"
      port     = "http"
      provider = "nomad"

      check {
        name     = "ready"
        type     = "http"
        port     = "metrics"
        path     = "/readyz"
        interval = "5s"
        timeout  = "1s"
      }

      check {
        name     = "live"
        type     = "http"
        port     = "metrics"
        path     = "/livez"
        interval = "10s"
        timeout  = "1s"

        check_restart {
          limit = 3
          grace = "60s"
        }
      }
    }

    task "frontend" {
      driver         = "docker"
      user           = "1001:1001"
      shutdown_delay = "5s"
      kill_signal    = "SIGTERM"
      kill_timeout   = "15s"

      config {
        image           = "localhost/medianest/frontend-production:dev"
        ports           = ["http", "metrics"]
        readonly_rootfs = true
        cap_drop        = ["all"]
        security_opt    = ["no-new-privileges"]
        pids_limit      = 512

        mount {
          type   = "tmpfs"
          target = "/tmp"

          tmpfs_options {
            size = 67108864
          }
        }
      }

      # No --tcp-connect here: Nomad gives the backends' ports, a new one for each allocation.
      env {
        SECURITY_LEVEL      = "hardened"
        NEST_INIT_READ_ONLY = "verify"
        NEST_INIT_TCP_BIND  = "3000"
      }

      template {
        destination = "local/backend.env"
        env         = true
        change_mode = "restart"
        splay       = "30s"
        data        = <<-TEXT
          {{ range nomadService 1 (env "NOMAD_ALLOC_ID") "backend" }}BACKEND_URL=http://{{ .Address }}:{{ .Port }}
          {{ end }}
        TEXT
      }

      resources {
        cpu    = 300
        memory = 512
      }
    }
  }

  group "nginx" {
    count = 2

    # No canary: it would need a third client with a free port 80.
    update {
      canary       = 0
      auto_promote = false
    }

    network {
      mode = "bridge"

      port "http" {
        static = 80
        to     = 8080
      }

      port "metrics" {
        to = 9911
      }
    }

    service {
      name     = "nginx"
      port     = "http"
      provider = "nomad"

      check {
        name     = "ready"
        type     = "http"
        port     = "metrics"
        path     = "/readyz"
        interval = "5s"
        timeout  = "1s"
      }

      check {
        name     = "live"
        type     = "http"
        port     = "metrics"
        path     = "/livez"
        interval = "10s"
        timeout  = "1s"

        check_restart {
          limit = 3
          grace = "60s"
        }
      }
    }

    task "nginx" {
      driver         = "docker"
      user           = "101:101"
      shutdown_delay = "5s"

      # nginx's fast stop: the image passes QUIT on instead, and gives a slow download 25 s.
      kill_signal  = "SIGTERM"
      kill_timeout = "30s"

      config {
        image           = "localhost/medianest/nginx-proxy:dev"
        ports           = ["http", "metrics"]
        readonly_rootfs = true
        cap_drop        = ["all"]
        security_opt    = ["no-new-privileges"]
        pids_limit      = 256
        volumes         = ["local/upstreams:/etc/nginx/upstreams:ro"]

        mount {
          type   = "tmpfs"
          target = "/tmp"

          # Counts against the memory: bodies up to 1 MB wait there, and none that is larger.
          tmpfs_options {
            size = 33554432
          }
        }
      }

      env {
        SECURITY_LEVEL      = "hardened"
        NEST_INIT_READ_ONLY = "verify"
        NEST_INIT_TCP_BIND  = "8080,8081,8082" # the last two on loopback: nginx.conf says what for
      }

      # Who serves, whenever that changes: HUP goes through nest-init to nginx, which reads it again and cuts nobody off.
      dynamic "template" {
        for_each = ["backend", "frontend"]

        content {
          destination   = "local/upstreams/${template.value}.conf"
          change_mode   = "signal"
          change_signal = "SIGHUP"
          data          = <<-TEXT
            {{ range nomadService "${template.value}" }}server {{ .Address }}:{{ .Port }};
            {{ else }}server 127.0.0.1:9;
            {{ end }}
          TEXT
        }
      }

      resources {
        cpu    = 300
        memory = 128
      }
    }
  }
}
