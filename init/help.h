/* What `nest-init --help` prints. It fits a screen; the manual page says more. */
#pragma once

extern const char help_text[];
