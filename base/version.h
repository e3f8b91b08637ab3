/* The version, said once for C; meson.build holds the same and a test compares them. */
#pragma once

#define NEST_INIT_VERSION "0.1.0"
