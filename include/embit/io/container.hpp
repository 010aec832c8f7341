// The file container: its byte layout is written down in container_layout.hpp.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/io/container_layout.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/io/metadata.hpp>
