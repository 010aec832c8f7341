// The one place of the version; CMake parses these lines.
// SPDX-License-Identifier: MIT
#pragma once

#define EMBIT_VERSION_MAJOR 0
#define EMBIT_VERSION_MINOR 1
#define EMBIT_VERSION_PATCH 0
