/* The version, said once for C; meson.build holds the same and a test compares them. */
#pragma once

#define NEST_INIT_VERSION "0.1.0"

#ifndef NEST_INIT_REVISION
#define NEST_INIT_REVISION "" /* of the source, where the build knows it */
#endif
